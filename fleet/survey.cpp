#include "fleet/survey.hpp"

namespace ota::fleet {

void Survey::add(const Device& device) {
  ++devices;
  const auto decision = decide(device, catalog_, circumstances_);
  const auto* update = std::get_if<Update>(&decision);
  if (update != nullptr && update->rollout->id == rollout_id_) {
    ++included;
    ++would_update;
    ++by_version[update->release->version];
    if (updated.size() < kExamplesMax)
      updated.push_back({device.id, device.version, update->release->version, {}});
    return;
  }
  std::string reason = "another_rollout";
  std::string text = reason;
  if (update != nullptr) {
    text = "gets " + update->release->version + " by rollout '" + update->rollout->name + "'";
  } else {
    const auto& none = std::get<NoUpdate>(decision);
    if (none.rollout != nullptr && none.rollout->id == rollout_id_) ++included;
    reason = to_string(none.reason);
    text = none.text;
  }
  ++not_by_reason[reason];
  if (not_updated.size() < kExamplesMax) not_updated.push_back({device.id, device.version, reason, text});
}

}  // namespace ota::fleet
