#pragma once

#include <string>
#include <variant>

#include "fleet/catalog.hpp"
#include "fleet/device.hpp"

namespace ota::fleet {

/// Failed attempts of one device in one rollout before it is held there: the first try and two more.
inline constexpr int kFailedAttemptsMax = 3;

/// The device should run `release` next. `release` differs from the rollout's own when min_version makes it a
/// step on the way.
struct Update {
  const Rollout* rollout = nullptr;
  const Release* release = nullptr;
};

enum class Reason {
  no_rollout,          ///< no rollout for the model
  not_targeted,        ///< rollouts exist, none includes the device
  already_current,     ///< it runs the rollout's version
  newer_than_rollout,  ///< it runs a newer version and the rollout allows no downgrade
  paused,              ///< the rollout that decides is paused
  held,                ///< it failed too often in the rollout that decides
  no_way_to_version,   ///< min_version is above the running version and no release leads there
  cannot_compare,      ///< the running version cannot be compared with min_version
};

/// No update, and why, in words for the device's log and the admin.
struct NoUpdate {
  Reason reason = Reason::no_rollout;
  const Rollout* rollout = nullptr;  ///< the one that decided; null when none did
  std::string text;
};

using Decision = std::variant<Update, NoUpdate>;

/// What `device` (with its running version in device.version) should do, by contract section 2: rollouts
/// newest first, the first that includes the device decides. Pure, thread safe, no I/O.
[[nodiscard]] Decision decide(const Device& device, const Catalog& catalog, Sha256 sha256);

}  // namespace ota::fleet
