#include "fleet/device_rate.hpp"

#include <algorithm>
#include <functional>
#include <random>

namespace ota::fleet {
namespace {

constexpr std::size_t kSlots = 65536;
constexpr std::size_t kWays = 8;  // slots a device may have

std::string random_salt() {
  std::random_device random;
  return std::to_string(random()) + ':' + std::to_string(random()) + ':';
}

std::int64_t in_microseconds(Time time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

}  // namespace

DeviceRate::DeviceRate(int per_second, int burst)
    : per_second_(per_second),
      interval_us_(per_second > 0 ? 1'000'000 / per_second : 0),
      tolerance_us_(interval_us_ * (std::max(burst, 1) - 1)),
      salt_(random_salt()),
      slots_(per_second > 0 ? kSlots : 0) {}

bool DeviceRate::admit(const std::string& device_id, Time now) {
  if (per_second_ == 0) return true;
  const auto device = static_cast<std::uint64_t>(std::hash<std::string>{}(salt_ + device_id));
  const auto now_us = in_microseconds(now);
  const std::lock_guard lock(mutex_);
  auto& slot = slot_of(device);
  // Nobody is further ahead than a burst, unless the clock was set back.
  slot.spent_to_us = std::clamp(slot.spent_to_us, now_us, now_us + tolerance_us_ + interval_us_);
  if (slot.spent_to_us - now_us > tolerance_us_) return false;
  slot.spent_to_us += interval_us_;
  return true;
}

// The device's own, or else the one of its set whose device has been silent for longest.
DeviceRate::Slot& DeviceRate::slot_of(std::uint64_t device) {
  const auto set = slots_.begin() + static_cast<std::ptrdiff_t>(device % (kSlots / kWays) * kWays);
  const auto end = set + static_cast<std::ptrdiff_t>(kWays);
  const auto own = std::find_if(set, end, [&](const Slot& slot) { return slot.device == device; });
  if (own != end) return *own;
  const auto quietest =
      std::min_element(set, end, [](const Slot& a, const Slot& b) { return a.spent_to_us < b.spent_to_us; });
  *quietest = {device, 0};
  return *quietest;
}

}  // namespace ota::fleet
