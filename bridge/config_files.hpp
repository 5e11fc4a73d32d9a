#pragma once

#include "bridge/config.hpp"

namespace ota::bridge {

/// The folder and the PEM files that `config` names, looked at and left alone: whether the folder is one, or
/// can be made, and whether what the broker's TLS needs can be read. `invalid`: a line for each that is not,
/// beginning with its variable. HTTPS has a test of its own.
[[nodiscard]] fleet::Expected<void> test_named_files(const Config& config);

}  // namespace ota::bridge
