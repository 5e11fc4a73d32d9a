#pragma once
#include <cstdint>
#include <string>

#include "esp-client/core/ports.hpp"

namespace ota::device::host {

// SHA-256 of a file's first size_bytes. False when it cannot be read or is shorter.
[[nodiscard]] bool sha256_of_file(const std::string& path, std::uint64_t size_bytes, Digest& out);

}  // namespace ota::device::host
