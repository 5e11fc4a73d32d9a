#pragma once
#include <cstddef>
#include <cstdint>

#include "esp-client/core/model.hpp"

namespace ota::device {

// An offer whose manifest had no room in the message, while that manifest is on its way.
class ManifestFetch {
 public:
  [[nodiscard]] bool active() const { return active_; }

  void begin(const Offer& offer, std::uint64_t now_ms) {
    offer_ = offer;
    offer_.manifest.clear();
    began_ms_ = now_ms;
    active_ = true;
  }
  void stop() { active_ = false; }

  // False: it is longer than a manifest can be.
  [[nodiscard]] bool append(const std::uint8_t* bytes, std::size_t count) {
    const std::size_t before = offer_.manifest.view().size();
    offer_.manifest.append_cut(std::string_view(reinterpret_cast<const char*>(bytes), count));
    return offer_.manifest.view().size() == before + count;
  }

  // Whether the same offer is being seen to already; after half a minute it is not any more.
  [[nodiscard]] bool covers(const Offer& offer, std::uint64_t now_ms) const {
    constexpr std::uint64_t kPatienceMs = 30'000;
    return is_for(offer.attempt_id) && offer.same_image(offer_) && now_ms - began_ms_ < kPatienceMs;
  }
  [[nodiscard]] bool is_for(const AttemptId& attempt_id) const {
    return active_ && attempt_id == offer_.attempt_id;
  }
  [[nodiscard]] Offer& offer() { return offer_; }

 private:
  Offer offer_;
  std::uint64_t began_ms_ = 0;
  bool active_ = false;
};

}  // namespace ota::device
