#include "fleet/decide.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "fleet/iso_time.hpp"
#include "fleet/messages.hpp"
#include "fleet/version.hpp"

namespace ota::fleet {
namespace {

bool is_prerelease(const Release& release) {
  const auto version = SemVer::parse(release.version);
  return version && version->is_prerelease();
}

// A device keeps the highest sequence it has confirmed and refuses lower ones (docs/manifest.md).
bool sequence_rises(const VersionPoint& running, const Release& release) {
  return running.release == nullptr || running.release->sequence == 0 || release.sequence == 0 ||
         release.sequence > running.release->sequence;
}

// Whether a device at `running` may install `release` directly; nullopt when its min_version cannot be
// compared.
std::optional<bool> can_install(const VersionPoint& running, const Release& release, const Catalog& catalog) {
  if (!release.min_version || release.min_version->empty()) return true;
  const VersionPoint least{*release.min_version, catalog.find_known(release.model, *release.min_version)};
  const auto below = comes_before(running, least);
  if (!below) return std::nullopt;
  return !*below;
}

// The next release on the way from `running` to `target` when min_version forbids the direct jump: the
// highest one the device can install from which further allowed steps lead to the target. Releases are in
// ascending order, so walking down from the target knows for each release whether it leads there.
const Release* next_step(const VersionPoint& running, const Release& target, const Catalog& catalog) {
  std::vector<const Release*> leading = {&target};
  const auto& releases = catalog.releases_of(target.model);
  for (auto at = releases.rbegin(); at != releases.rend(); ++at) {
    const Release& release = **at;
    const VersionPoint point{release.version, &release};
    const bool between = comes_before(running, point).value_or(false) &&
                         comes_before(point, {target.version, &target}).value_or(false);
    if (!between || release.aborted || is_prerelease(release) || !catalog.may_offer(release)) continue;
    const bool leads = std::any_of(leading.begin(), leading.end(), [&](const Release* next) {
      return sequence_rises(point, *next) && can_install(point, *next, catalog).value_or(false);
    });
    if (!leads || !sequence_rises(running, release)) continue;
    if (can_install(running, release, catalog).value_or(false)) return &release;
    leading.push_back(&release);
  }
  return nullptr;
}

NoUpdate no_update(Reason reason, const Rollout* rollout, std::string text) {
  return {reason, rollout, std::move(text)};
}

// How often it failed in `rollout`: held for good, or until it may try again.
void add_failures(const Rollout& rollout, const Offer& offer, Time now, std::vector<NoUpdate>& blocks) {
  const auto kind = static_cast<std::size_t>(offer.last_failure.value_or(FailureKind::failed));
  const bool is_held =
      kind < rollout.policy.retries.size() && offer.failed_attempts > rollout.policy.retries[kind];
  if (is_held) {
    const auto* noun = offer.failed_attempts == 1 ? " failed attempt" : " failed attempts";
    blocks.push_back(
        {Reason::held, &rollout,
         "held: " + std::to_string(offer.failed_attempts) + noun + " in rollout '" + rollout.name + "'"});
  } else if (offer.retry_at && now < *offer.retry_at) {
    blocks.push_back({Reason::retry_later, &rollout, "failed; tries again at " + to_iso(*offer.retry_at)});
  }
}

Decision decide_in(const Catalog::Candidate& candidate, const Device& device, const Catalog& catalog,
                   const Circumstances& circumstances) {
  const auto& [rollout, release] = candidate;
  const VersionPoint running{device.version, catalog.find_known(device.model, device.version)};
  const VersionPoint target{release->version, release};

  if (compare_versions(running.version, target.version) == Order::same) {
    return no_update(Reason::already_current, rollout, "already on " + release->version);
  }
  if (comes_before(target, running).value_or(false) && !rollout->allow_downgrade) {
    return no_update(
        Reason::newer_than_rollout, rollout,
        device.version + " is newer than " + release->version + " and the rollout allows no downgrade");
  }
  auto blocks = find_blocks(*rollout, device, catalog, circumstances);
  if (!blocks.empty()) return std::move(blocks.front());

  if (!catalog.may_offer(*release)) {
    return no_update(Reason::not_signed, rollout,
                     release->version +
                         " has no signed manifest, and this service offers signed releases only: add one "
                         "with otactl sign");
  }
  if (!sequence_rises(running, *release)) {
    return no_update(Reason::manifest_too_old, rollout,
                     "the manifest of " + release->version + " has sequence " +
                         std::to_string(release->sequence) + ", the one of " + device.version + " " +
                         std::to_string(running.release->sequence) + ": add a newer one with otactl sign");
  }
  const auto direct = can_install(running, *release, catalog);
  if (!direct) {
    return no_update(Reason::cannot_compare, rollout,
                     "running version cannot be compared with min_version " + *release->min_version);
  }
  if (*direct) return Update{rollout, release};
  if (const auto* step = next_step(running, *release, catalog)) return Update{rollout, step};
  return no_update(
      Reason::no_way_to_version, rollout,
      release->version + " needs at least " + *release->min_version + " and no release leads there");
}

}  // namespace

std::string_view to_string(Reason reason) {
  constexpr std::array<std::string_view, 16> kNames = {
      "no_rollout",        "not_targeted", "already_current",  "newer_than_rollout",
      "revoked",           "frozen",       "on_hold",          "paused",
      "retry_later",       "held",         "outside_window",   "waits_its_turn",
      "no_way_to_version", "not_signed",   "manifest_too_old", "cannot_compare"};
  return kNames[static_cast<std::size_t>(reason)];
}

std::vector<NoUpdate> find_blocks(const Rollout& rollout, const Device& device, const Catalog& catalog,
                                  const Circumstances& circumstances) {
  std::vector<NoUpdate> blocks;
  const auto add = [&](Reason reason, std::string text) {
    blocks.push_back({reason, &rollout, std::move(text)});
  };
  if (device.revoked) add(Reason::revoked, RevokedAnswer::kReason);
  if (catalog.is_frozen()) add(Reason::frozen, "updates are frozen for the whole fleet");
  if (device.hold) add(Reason::on_hold, "this device is on hold");
  if (rollout.state == RolloutState::paused) add(Reason::paused, "rollout '" + rollout.name + "' is paused");
  if (device.offer && device.offer->rollout_id == rollout.id) {
    add_failures(rollout, *device.offer, circumstances.now, blocks);
  }
  if (!is_open(rollout.policy.windows, circumstances.now, circumstances.local_clock)) {
    add(Reason::outside_window, "rollout '" + rollout.name + "' is outside its maintenance windows");
  }
  return blocks;
}

bool is_due(const Device& device, const Rollout& rollout, const Decision& decision) {
  const auto* update = std::get_if<Update>(&decision);
  const auto* decided = update != nullptr ? update->rollout : std::get<NoUpdate>(decision).rollout;
  if (decided == nullptr || decided->id != rollout.id) return false;
  const bool has_begun = device.offer && device.offer->rollout_id == rollout.id &&
                         (device.offer->taken || device.offer->failed_attempts > 0);
  return !has_begun && (update != nullptr || is_passing(std::get<NoUpdate>(decision).reason));
}

bool can_reach(const std::string& running, const Release& target, const Catalog& catalog) {
  const VersionPoint from{running, catalog.find_known(target.model, running)};
  const auto direct = can_install(from, target, catalog);
  return direct && (*direct || next_step(from, target, catalog) != nullptr);
}

bool would_refuse(const std::string& running, const Release& target, const Catalog& catalog) {
  return !sequence_rises({running, catalog.find_known(target.model, running)}, target);
}

Decision decide(const Device& device, const Catalog& catalog, const Circumstances& circumstances,
                std::vector<Considered>* considered) {
  const auto& candidates = catalog.candidates(device.model);
  bool pinned_elsewhere = false;
  for (const auto& candidate : candidates) {
    const auto membership = membership_of(device, *candidate.rollout, circumstances.sha256);
    if (considered != nullptr) considered->push_back({candidate.rollout, membership});
    if (membership == Membership::in) return decide_in(candidate, device, catalog, circumstances);
    pinned_elsewhere = pinned_elsewhere || membership == Membership::pinned_elsewhere;
  }
  if (candidates.empty()) return no_update(Reason::no_rollout, nullptr, "no active rollout for this model");
  if (pinned_elsewhere) {
    const bool is_there = compare_versions(device.version, device.pinned_version) == Order::same;
    return no_update(Reason::not_targeted, nullptr,
                     "pinned to " + device.pinned_version +
                         (is_there ? ", which it runs" : ", and no active rollout brings it there"));
  }
  return no_update(Reason::not_targeted, nullptr, "not included in any active rollout");
}

}  // namespace ota::fleet
