#pragma once

#include <string>

#include "fleet/expected.hpp"

namespace ota::bridge {

/// The text of a file that holds a secret, without the line's end after it; never logged. `invalid` when it
/// cannot be read, is empty, or is longer than a secret can be.
[[nodiscard]] fleet::Expected<std::string> read_secret_file(const std::string& path);

/// Whether nobody guesses `secret`: long enough, not the same few characters over and over, and none of the
/// words that stand in examples.
[[nodiscard]] bool is_strong_secret(const std::string& secret, std::size_t characters_min);

/// A sentence for the log when others than its owner and group may read `path`, the file that `variable`
/// names and that holds a secret; empty when all is well, or there is no such file.
[[nodiscard]] std::string warn_of_readers(const std::string& variable, const std::string& path);

}  // namespace ota::bridge
