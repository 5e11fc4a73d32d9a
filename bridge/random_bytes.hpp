#pragma once

#include <array>
#include <cstdint>

namespace ota::bridge {

/// 256 bits of chance from the operating system, fit for keys. Thread safe; throws std::system_error when
/// there are none.
[[nodiscard]] std::array<std::uint8_t, 32> random_bytes();

}  // namespace ota::bridge
