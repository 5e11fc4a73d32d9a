#pragma once
#include <cstdint>

namespace ota::device {

// A small generator (xorshift64*) for jitter alone; nothing secret hangs on it.
class Jitter {
 public:
  explicit Jitter(std::uint64_t seed) : state_(seed != 0 ? seed : 0x9E3779B97F4A7C15ULL) {}

  // Evenly from 0 to max_ms.
  std::uint64_t up_to(std::uint64_t max_ms) {
    state_ ^= state_ >> 12U;
    state_ ^= state_ << 25U;
    state_ ^= state_ >> 27U;
    return ((state_ * 0x2545F4914F6CDD1DULL) >> 11U) % (max_ms + 1);
  }

 private:
  std::uint64_t state_;
};

struct Backoff {
  std::uint64_t base_ms;
  std::uint64_t cap_ms;

  // Full jitter: anywhere from 0 to min(cap, base * 2^tries), so that a fleet never knocks in step.
  std::uint64_t delay_ms(unsigned tries, Jitter& jitter) const {
    const unsigned shift = tries < 20 ? tries : 20;
    const std::uint64_t span_ms = base_ms << shift;
    return jitter.up_to(span_ms < cap_ms ? span_ms : cap_ms);
  }
};

}  // namespace ota::device
