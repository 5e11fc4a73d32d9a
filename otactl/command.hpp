#pragma once

#include <cstddef>
#include <limits>
#include <string>

namespace ota::otactl {

/// Exit statuses of otactl; 0 is done.
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

/// Says why on standard error and ends the command with kExitFailed, by throwing CLI::RuntimeError.
[[noreturn]] void end_with(const std::string& why);

/// Writes a secret that is told once as a line of its own to standard output, so that it can go straight into
/// a file. Ends the command where that cannot be: with the reason, and with `when_lost`, what to do then.
void print_secret(const std::string& secret, const std::string& when_lost);

/// All bytes of a file; ends the command when it cannot be read, is empty, or holds more than `bytes_max`.
[[nodiscard]] std::string read_file(const std::string& path,
                                    std::size_t bytes_max = std::numeric_limits<std::size_t>::max());

/// The first line of a file, without its end: a passphrase, key or token. Ends the command as read_file does.
[[nodiscard]] std::string read_first_line(const std::string& path);

}  // namespace ota::otactl
