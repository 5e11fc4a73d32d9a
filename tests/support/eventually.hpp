#pragma once

#include <chrono>
#include <thread>

namespace ota::test_support {

/// Asks `holds` again and again until it does or `wait` is over; answers what it said last.
template <class Condition>
bool eventually(Condition holds, std::chrono::milliseconds wait = std::chrono::seconds(20)) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  while (!holds()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

}  // namespace ota::test_support
