#pragma once

#include <string_view>

#include "fleet/catalog.hpp"
#include "fleet/device.hpp"

namespace ota::fleet {

/// The device's bucket 0..99: SHA-256 of the id (or of salt + ':' + id) as a big-endian integer, modulo 100.
[[nodiscard]] int bucket_of(std::string_view device_id, std::string_view salt, Sha256 sha256);

/// Which rule of a target put a device in or kept it out; the texts explain it to an admin.
enum class Membership {
  in,
  excluded,
  metadata_differs,
  bucket_above,
  not_listed,
  not_in_group,
  not_to_take_back,
  pinned_elsewhere,
};
[[nodiscard]] std::string_view to_string(Membership membership);

/// Whether `target` includes `device` (contract section 2). Pure; the same answer on every bridge.
[[nodiscard]] Membership membership_of(const Device& device, const Target& target, Sha256 sha256);

/// Whether `rollout` is one for `device`: by its target; or, where it takes another rollout back, by what
/// that one had offered the device, and from which version. A pinned device is only in rollouts of its
/// version.
[[nodiscard]] Membership membership_of(const Device& device, const Rollout& rollout, Sha256 sha256);

}  // namespace ota::fleet
