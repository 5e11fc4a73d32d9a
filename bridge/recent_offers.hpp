#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

namespace ota::bridge {

/// What was published last for the devices of the last moments. Offers are published by several threads, each
/// after its own commit: by this memory what one of them still holds is not sent after something newer. It
/// forgets within seconds, and has to: another bridge may have published meanwhile, and a device that was
/// deleted begins anew. Bounded. Not thread safe.
class RecentOffers {
 public:
  using Clock = std::chrono::steady_clock;

  /// Whether nothing newer than `revision` was published for the device; then this one is remembered.
  [[nodiscard]] bool admit(const std::string& device_id, std::int64_t revision, bool stands,
                           Clock::time_point now);
  /// Whether no standing offer was published since `asked_at`, when the database knew of none.
  [[nodiscard]] bool may_clear(const std::string& device_id, Clock::time_point asked_at) const;
  /// The device's next revision may be any.
  void forget(const std::string& device_id);

 private:
  struct Sent {
    std::int64_t revision = 0;
    bool stands = false;
    Clock::time_point at{};
  };
  [[nodiscard]] const Sent* find(const std::string& device_id) const;

  // The older generation is dropped when the newer one is full or old.
  std::array<std::unordered_map<std::string, Sent>, 2> generations_;
  Clock::time_point began_at_{};
};

}  // namespace ota::bridge
