#include "bridge/refusals.hpp"

#include <spdlog/spdlog.h>

namespace ota::bridge {

void Refusals::count(const std::string& kind, const std::string& example) {
  using namespace std::chrono_literals;
  const auto now = now_();
  std::uint64_t since_last = 0;
  {
    const std::lock_guard lock(mutex_);
    auto& entry = entries_[kind];
    ++entry.count;
    if (entry.logged_at_count != 0 && now - entry.logged_at < 1min) return;
    since_last = entry.count - entry.logged_at_count;
    entry.logged_at_count = entry.count;
    entry.logged_at = now;
  }
  spdlog::warn("refused {} ({} since last said): {}", kind, since_last, example);
}

std::map<std::string, std::uint64_t> Refusals::counts() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::uint64_t> counts;
  for (const auto& [kind, entry] : entries_) counts[kind] = entry.count;
  return counts;
}

}  // namespace ota::bridge
