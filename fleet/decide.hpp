#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fleet/catalog.hpp"
#include "fleet/device.hpp"
#include "fleet/targeting.hpp"

namespace ota::fleet {

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
  revoked,             ///< the device's identity was taken back
  frozen,              ///< an admin has stopped everything
  on_hold,             ///< an admin holds this device
  paused,              ///< the rollout that decides is paused
  retry_later,         ///< it failed and its pause has not passed
  held,                ///< it failed too often in the rollout that decides
  outside_window,      ///< none of the rollout's maintenance windows is open
  waits_its_turn,      ///< the rollout's rate lets no more begin now
  no_way_to_version,   ///< min_version is above the running version and no release leads there
  not_signed,          ///< only signed releases are offered here, and this one has no verified manifest
  manifest_too_old,    ///< a newer manifest is installed already: the device would refuse this one
  cannot_compare,      ///< the running version cannot be compared with min_version
};
[[nodiscard]] std::string_view to_string(Reason reason);

/// Whether the device is still due: the same decision may become an update without a change of the device.
[[nodiscard]] constexpr bool is_passing(Reason reason) {
  return reason >= Reason::frozen && reason <= Reason::waits_its_turn && reason != Reason::held;
}

/// No update, and why, in words for the device's log and the admin.
struct NoUpdate {
  Reason reason = Reason::no_rollout;
  const Rollout* rollout = nullptr;  ///< the one that decided; null when none did
  std::string text;
};

using Decision = std::variant<Update, NoUpdate>;

/// What a decision needs besides the device and the catalog.
struct Circumstances {
  Sha256 sha256 = nullptr;
  Time now{};
  LocalClock local_clock = nullptr;
};

/// A rollout that was looked at on the way to a decision.
struct Considered {
  const Rollout* rollout = nullptr;
  Membership membership = Membership::in;
};

/// What `device` (with its running version in device.version) should do, by contract section 2: rollouts
/// newest first, the first that includes the device decides. `considered`, where given, receives the rollouts
/// that were looked at, in that order. Pure, thread safe, no I/O. Never answers waits_its_turn: that is for
/// whoever hands offers out.
[[nodiscard]] Decision decide(const Device& device, const Catalog& catalog,
                              const Circumstances& circumstances,
                              std::vector<Considered>* considered = nullptr);

/// All that keeps `device`, which `rollout` should update, from being updated now; a decision names the
/// first. Pure, thread safe.
[[nodiscard]] std::vector<NoUpdate> find_blocks(const Rollout& rollout, const Device& device,
                                                const Catalog& catalog, const Circumstances& circumstances);

/// Whether `device`, of which `decision` was made, is one that `rollout` is still to update and that has not
/// begun: it gets its update now, or as soon as what holds it back has passed.
[[nodiscard]] bool is_due(const Device& device, const Rollout& rollout, const Decision& decision);

/// Whether a device at `running` can get to `target`, directly or step by step.
[[nodiscard]] bool can_reach(const std::string& running, const Release& target, const Catalog& catalog);

/// Whether a device at `running` has installed a newer signed manifest than the one of `target`.
[[nodiscard]] bool would_refuse(const std::string& running, const Release& target, const Catalog& catalog);

}  // namespace ota::fleet
