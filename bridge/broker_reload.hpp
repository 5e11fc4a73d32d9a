#pragma once

#include <string>

#include "fleet/expected.hpp"

namespace ota::bridge {

/// Tells the Mosquitto whose process id is the first word of `pid_file` to read its lists again (SIGHUP).
/// `unavailable` when the file cannot be read, or the process is gone or another program: a stale file must
/// not end a stranger.
[[nodiscard]] fleet::Expected<void> reload_broker(const std::string& pid_file);

}  // namespace ota::bridge
