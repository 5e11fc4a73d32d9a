#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "fleet/time.hpp"

namespace ota::fleet {

/// How often one device may speak: a burst after a silence, then a steady rate (endurance 7). Memory is
/// fixed, however many devices there are: 1 MiB holds what is known of 65 536 that spoke a moment ago. Where
/// there are more, the one closest to silence is forgotten, which may let somebody speak more, never less.
/// Thread safe.
class DeviceRate {
 public:
  /// `per_second` 0: everybody may speak always, and no memory is taken.
  DeviceRate(int per_second, int burst);

  /// Whether one more message of the device is within its rate at `now`; if so it is counted. A clock that
  /// was set back costs a device at most one burst's time.
  [[nodiscard]] bool admit(const std::string& device_id, Time now);

  [[nodiscard]] int per_second() const { return per_second_; }

 private:
  // The generic cell rate algorithm: one time says all. A device has spoken as much as if it had kept to the
  // rate until `spent_to_us`.
  struct Slot {
    std::uint64_t device = 0;  // hash of its id
    std::int64_t spent_to_us = 0;
  };
  [[nodiscard]] Slot& slot_of(std::uint64_t device);

  const int per_second_;
  const std::int64_t interval_us_;
  const std::int64_t tolerance_us_;  // how far ahead of the clock a device may get
  const std::string salt_;           // nobody can choose ids that share a slot with another's
  std::mutex mutex_;
  std::vector<Slot> slots_;
};

}  // namespace ota::fleet
