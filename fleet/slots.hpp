#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "fleet/catalog.hpp"
#include "fleet/expected.hpp"

namespace ota::fleet {

/// How many more offers each rollout's rate allows while one transaction lasts. `read` asks the database once
/// per rollout with a rate, under a lock that is held to the transaction's end, so several bridges together
/// keep to it. One thread, one transaction.
class SlotBudget {
 public:
  using Read = std::function<Expected<int>(std::int64_t rollout_id, const PushRate& rate)>;
  explicit SlotBudget(Read read) : read_(std::move(read)) {}

  /// Takes one slot; false when none is left. A rollout without a rate has as many as are asked for.
  [[nodiscard]] Expected<bool> take(const Rollout& rollout) {
    if (!rollout.policy.rate.is_limited()) return true;
    auto left = left_.find(rollout.id);
    if (left == left_.end()) {
      const auto free = read_(rollout.id, rollout.policy.rate);
      if (!free) return tl::unexpected(free.error());
      left = left_.emplace(rollout.id, *free).first;
    }
    if (left->second <= 0) return false;
    --left->second;
    return true;
  }

 private:
  Read read_;
  std::map<std::int64_t, int> left_;
};

}  // namespace ota::fleet
