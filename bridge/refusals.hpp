#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace ota::bridge {

/// Counts messages that could not be handled, by kind, and logs one of each kind a minute: bad input is
/// normal input and must not fill the log. Thread safe; `kind` is one of a few fixed words.
class Refusals {
 public:
  using Clock = std::chrono::steady_clock;
  explicit Refusals(std::function<Clock::time_point()> now = &Clock::now) : now_(std::move(now)) {}

  void count(const std::string& kind, const std::string& example);
  [[nodiscard]] std::map<std::string, std::uint64_t> counts() const;

 private:
  struct Entry {
    std::uint64_t count = 0;
    std::uint64_t logged_at_count = 0;
    Clock::time_point logged_at{};
  };
  const std::function<Clock::time_point()> now_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
};

}  // namespace ota::bridge
