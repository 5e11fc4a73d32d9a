#include "fleet/targeting.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "fleet/version.hpp"

namespace ota::fleet {
namespace {

template <class Range>
bool has(const Range& range, std::string_view wanted) {
  return std::find(range.begin(), range.end(), wanted) != range.end();
}

bool shares_group(const Device& device, const Target& target) {
  const auto groups = device.groups();
  return std::any_of(groups.begin(), groups.end(),
                     [&](const std::string& group) { return has(target.groups, group); });
}

}  // namespace

int bucket_of(std::string_view device_id, std::string_view salt, Sha256 sha256) {
  const auto digest =
      salt.empty() ? sha256(device_id) : sha256(std::string(salt) + ':' + std::string(device_id));
  int remainder = 0;
  for (const auto byte : digest) remainder = (remainder * 256 + byte) % 100;
  return remainder;
}

std::string_view to_string(Membership membership) {
  constexpr std::array<std::string_view, 8> kTexts = {
      "included",
      "excluded by exclude_device_ids",
      "metadata does not match",
      "bucket is not below the percentage",
      "not listed in device_ids or mac_addresses",
      "in none of the groups",
      "nothing to take back",
      "pinned to another version",
  };
  return kTexts[static_cast<std::size_t>(membership)];
}

Membership membership_of(const Device& device, const Target& target, Sha256 sha256) {
  if (has(target.exclude_device_ids, device.id)) return Membership::excluded;
  if (target.metadata && !device.metadata.contains(*target.metadata)) return Membership::metadata_differs;
  if (target.type == TargetType::specific) {
    const bool listed =
        has(target.device_ids, device.id) || (!device.mac.empty() && has(target.mac_addresses, device.mac));
    return listed ? Membership::in : Membership::not_listed;
  }
  if (target.type == TargetType::group && !shares_group(device, target)) return Membership::not_in_group;
  if (target.percentage >= 100) return Membership::in;
  return bucket_of(device.id, target.salt, sha256) < target.percentage ? Membership::in
                                                                       : Membership::bucket_above;
}

Membership membership_of(const Device& device, const Rollout& rollout, Sha256 sha256) {
  const bool pinned_elsewhere = !device.pinned_version.empty() &&
                                compare_versions(device.pinned_version, rollout.version) != Order::same;
  if (pinned_elsewhere) return Membership::pinned_elsewhere;
  if (rollout.rolls_back == 0) return membership_of(device, rollout.target, sha256);
  if (!device.offer) return Membership::not_to_take_back;
  const auto& offer = *device.offer;
  const bool took_it =
      offer.rollout_id == rollout.rolls_back && offer.taken && offer.origin_version == rollout.version;
  return took_it || offer.rollout_id == rollout.id ? Membership::in : Membership::not_to_take_back;
}

}  // namespace ota::fleet
