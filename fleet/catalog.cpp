#include "fleet/catalog.hpp"

#include <algorithm>

#include "fleet/version.hpp"

namespace ota::fleet {
namespace {

// Semantic versions last and in their order; the others before them by upload time, so that back() is the
// latest.
bool release_before(const Release* a, const Release* b) {
  const auto left = SemVer::parse(a->version);
  const auto right = SemVer::parse(b->version);
  if (left.has_value() != right.has_value()) return !left.has_value();
  if (left && *left != *right) return *left < *right;
  return a->created_at != b->created_at ? a->created_at < b->created_at : a->id < b->id;
}

const Release* find_in(const std::vector<const Release*>& releases, std::string_view version) {
  const auto at = std::find_if(releases.begin(), releases.end(),
                               [&](const Release* release) { return release->version == version; });
  return at == releases.end() ? nullptr : *at;
}

}  // namespace

Catalog::Catalog(std::vector<Release> releases, std::vector<Rollout> rollouts, FleetRules rules)
    : releases_(std::make_shared<const std::vector<Release>>(std::move(releases))), rules_(rules) {
  std::sort(rollouts.begin(), rollouts.end(), [](const Rollout& a, const Rollout& b) { return a.id > b.id; });
  rollouts_ = std::make_shared<const std::vector<Rollout>>(std::move(rollouts));

  for (const auto& release : *releases_) {
    release_by_id_.emplace(release.id, &release);
    ++models_per_version_[release.version];
    auto& entry = models_[release.model];
    (release.withdrawn ? entry.withdrawn : entry.releases).push_back(&release);
  }
  for (auto& [model, entry] : models_)
    std::sort(entry.releases.begin(), entry.releases.end(), release_before);
  for (const auto& rollout : *rollouts_) {
    rollout_by_id_.emplace(rollout.id, &rollout);
    if (rollout.state == RolloutState::scheduled) continue;
    const auto* release = find_release(rollout.model, rollout.version);
    if (release != nullptr && !release->withdrawn)
      models_[rollout.model].candidates.push_back({&rollout, release});
  }
}

Catalog Catalog::with(Rollout rollout) const {
  auto more = rollouts();
  more.push_back(std::move(rollout));
  return {releases_ ? *releases_ : std::vector<Release>{}, std::move(more), rules_};
}

const std::vector<Rollout>& Catalog::rollouts() const {
  static const std::vector<Rollout> kNone;
  return rollouts_ ? *rollouts_ : kNone;
}

const std::vector<Catalog::Candidate>& Catalog::candidates(std::string_view model) const {
  static const std::vector<Candidate> kNone;
  const auto found = models_.find(model);
  return found == models_.end() ? kNone : found->second.candidates;
}

const std::vector<const Release*>& Catalog::releases_of(std::string_view model) const {
  static const std::vector<const Release*> kNone;
  const auto found = models_.find(model);
  return found == models_.end() ? kNone : found->second.releases;
}

const Release* Catalog::find_release(std::string_view model, std::string_view version) const {
  return find_in(releases_of(model), version);
}

const Release* Catalog::find_known(std::string_view model, std::string_view version) const {
  const auto found = models_.find(model);
  if (found == models_.end()) return nullptr;
  const auto* offered = find_in(found->second.releases, version);
  return offered != nullptr ? offered : find_in(found->second.withdrawn, version);
}

const Release* Catalog::find_release(std::int64_t id) const {
  const auto found = release_by_id_.find(id);
  return found == release_by_id_.end() ? nullptr : found->second;
}

const Rollout* Catalog::find_rollout(std::int64_t id) const {
  const auto found = rollout_by_id_.find(id);
  return found == rollout_by_id_.end() ? nullptr : found->second;
}

const Release* Catalog::latest(std::string_view model) const {
  const auto& releases = releases_of(model);
  return releases.empty() ? nullptr : releases.back();
}

bool Catalog::is_ambiguous(std::string_view version) const {
  const auto found = models_per_version_.find(version);
  return found != models_per_version_.end() && found->second > 1;
}

std::optional<bool> comes_before(const VersionPoint& left, const VersionPoint& right) {
  switch (compare_versions(left.version, right.version)) {
    case Order::older:
      return true;
    case Order::same:
    case Order::newer:
      return false;
    case Order::unknown:
      break;
  }
  if (left.release == nullptr || right.release == nullptr) return std::nullopt;
  return left.release->created_at < right.release->created_at;
}

}  // namespace ota::fleet
