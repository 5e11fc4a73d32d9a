#include "fleet/decide.hpp"

#include <algorithm>
#include <vector>

#include "fleet/targeting.hpp"
#include "fleet/version.hpp"

namespace ota::fleet {
namespace {

bool is_prerelease(const Release& release) {
  const auto version = SemVer::parse(release.version);
  return version && version->is_prerelease();
}

// Whether a device at `running` may install `release` directly; nullopt when its min_version cannot be
// compared.
std::optional<bool> can_install(const VersionPoint& running, const Release& release, const Catalog& catalog) {
  if (!release.min_version || release.min_version->empty()) return true;
  const VersionPoint least{*release.min_version, catalog.find_release(release.model, *release.min_version)};
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
    if (!between || is_prerelease(release)) continue;
    const bool leads = std::any_of(leading.begin(), leading.end(), [&](const Release* next) {
      return can_install(point, *next, catalog).value_or(false);
    });
    if (!leads) continue;
    if (can_install(running, release, catalog).value_or(false)) return &release;
    leading.push_back(&release);
  }
  return nullptr;
}

NoUpdate no_update(Reason reason, const Rollout* rollout, std::string text) {
  return {reason, rollout, std::move(text)};
}

Decision decide_in(const Catalog::Candidate& candidate, const Device& device, const Catalog& catalog) {
  const auto& [rollout, release] = candidate;
  const VersionPoint running{device.version, catalog.find_release(device.model, device.version)};
  const VersionPoint target{release->version, release};
  const std::string name = "rollout '" + rollout->name + "' ";

  if (compare_versions(running.version, target.version) == Order::same) {
    return no_update(Reason::already_current, rollout, "already on " + release->version);
  }
  if (comes_before(target, running).value_or(false) && !rollout->allow_downgrade) {
    return no_update(
        Reason::newer_than_rollout, rollout,
        device.version + " is newer than " + release->version + " and the rollout allows no downgrade");
  }
  if (rollout->state == RolloutState::paused) return no_update(Reason::paused, rollout, name + "is paused");
  const bool same_rollout = device.offer && device.offer->rollout_id == rollout->id;
  if (same_rollout && device.offer->failed_attempts >= kFailedAttemptsMax) {
    return no_update(
        Reason::held, rollout,
        "held: " + std::to_string(device.offer->failed_attempts) + " failed attempts in " + name);
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

Decision decide(const Device& device, const Catalog& catalog, Sha256 sha256) {
  const auto& candidates = catalog.candidates(device.model);
  for (const auto& candidate : candidates) {
    if (membership_of(device, candidate.rollout->target, sha256) == Membership::in) {
      return decide_in(candidate, device, catalog);
    }
  }
  if (candidates.empty()) return no_update(Reason::no_rollout, nullptr, "no active rollout for this model");
  return no_update(Reason::not_targeted, nullptr, "not included in any active rollout");
}

}  // namespace ota::fleet
