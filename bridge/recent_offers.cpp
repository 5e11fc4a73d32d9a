#include "bridge/recent_offers.hpp"

#include <utility>

namespace ota::bridge {
namespace {

// Far longer than any thread takes from its commit to its publication.
constexpr std::chrono::seconds kGenerationAge{5};
constexpr std::size_t kGenerationMax = 5000;

}  // namespace

const RecentOffers::Sent* RecentOffers::find(const std::string& device_id) const {
  for (const auto& generation : generations_) {
    const auto found = generation.find(device_id);
    if (found != generation.end()) return &found->second;
  }
  return nullptr;
}

bool RecentOffers::admit(const std::string& device_id, std::int64_t revision, bool stands,
                         Clock::time_point now) {
  if (generations_[0].size() >= kGenerationMax || now - began_at_ > kGenerationAge) {
    // After a silence both are old.
    if (now - began_at_ > 2 * kGenerationAge) generations_[0].clear();
    generations_[1] = std::exchange(generations_[0], {});
    began_at_ = now;
  }
  const auto* last = find(device_id);
  if (last != nullptr && last->revision > revision) return false;
  generations_[0][device_id] = {revision, stands, now};
  return true;
}

bool RecentOffers::may_clear(const std::string& device_id, Clock::time_point asked_at) const {
  const auto* last = find(device_id);
  return last == nullptr || !last->stands || last->at < asked_at;
}

void RecentOffers::forget(const std::string& device_id) {
  for (auto& generation : generations_) generation.erase(device_id);
}

}  // namespace ota::bridge
