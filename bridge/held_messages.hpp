#pragma once

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "bridge/batch.hpp"

namespace ota::bridge {

/// Messages of devices whose rows somebody else keeps locked. They wait apart, so that nobody waits behind
/// them, and are tried again together after a pause. Belongs to a writer's thread.
class HeldMessages {
 public:
  using Clock = std::chrono::steady_clock;

  /// Whether there is nothing to do at due_at().
  [[nodiscard]] bool empty() const { return devices_.empty(); }
  [[nodiscard]] std::size_t size() const { return errands_.size(); }
  /// When the locks are to be looked at again.
  [[nodiscard]] Clock::time_point due_at() const { return due_at_; }

  /// The devices of `errands` have met a lock at `now`: until due_at() their messages come here. Logged once
  /// a minute.
  void bar(const std::vector<Errand>& errands, Clock::time_point now);
  /// Takes out of `batch` what is of barred devices: it must not overtake, nor meet the lock again.
  [[nodiscard]] std::vector<Errand> divert(std::vector<Errand>& batch) const;
  /// Adds messages of barred devices, behind what is here.
  void add(std::vector<Errand> errands);
  /// Hands out everything; nobody is barred any more.
  [[nodiscard]] std::vector<Errand> take();

 private:
  std::vector<Errand> errands_;
  std::set<std::string> devices_;
  Clock::time_point due_at_{};
  Clock::time_point told_at_{};
};

}  // namespace ota::bridge
