#pragma once

#include <string>

namespace ota::otactl {

/// Exit statuses of otactl; 0 is done.
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

/// Says why on standard error and ends the command with kExitFailed, by throwing CLI::RuntimeError.
[[noreturn]] void end_with(const std::string& why);

/// All bytes of a file; ends the command when it cannot be read or is empty.
[[nodiscard]] std::string read_file(const std::string& path);

/// The first line of a file, without its end: a passphrase, key or token. Ends the command as read_file does.
[[nodiscard]] std::string read_first_line(const std::string& path);

}  // namespace ota::otactl
