#pragma once
#include <chrono>
#include <cstdint>

namespace ota::device::host {

// Milliseconds of the process's monotonic clock.
[[nodiscard]] inline std::uint64_t steady_now_ms() {
  const auto since_start = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since_start).count());
}

}  // namespace ota::device::host
