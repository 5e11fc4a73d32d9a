// What a rollout would do, before it does: simulate, and the warnings that creating one answers.
#include <limits>

#include "fleet/ids.hpp"
#include "fleet/strict_json.hpp"
#include "fleet/target_filter.hpp"
#include "http/admin_replies.hpp"
#include "http/api.hpp"
#include "http/replies.hpp"
#include "http/rollout_body.hpp"

namespace ota::http {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

constexpr int kPageMax = 2000;
// Above every id the database hands out.
constexpr std::int64_t kTrialId = std::numeric_limits<std::int64_t>::max();

// The rollout as the catalog would hold it once it is created and running.
fleet::Rollout trial_of(const fleet::NewRollout& wanted, fleet::Time now) {
  fleet::Rollout rollout;
  rollout.id = kTrialId;
  rollout.name = wanted.name;
  rollout.version = wanted.version;
  rollout.model = wanted.model;
  const auto filter = wanted.target_filter_json.empty() ? Expected<fleet::JsonValue>(fleet::JsonValue{})
                                                        : fleet::parse_json(wanted.target_filter_json);
  rollout.target =
      fleet::read_target(*fleet::parse_target_type(wanted.target_type), filter.value_or(fleet::JsonValue{}));
  rollout.target.percentage =
      wanted.policy.stages.empty() ? wanted.percentage : wanted.policy.stages.front().percentage;
  rollout.target.salt = wanted.salt;
  rollout.allow_downgrade = wanted.allow_downgrade;
  rollout.policy = wanted.policy;
  rollout.stage_entered_at = now;
  return rollout;
}

bool overlaps(const fleet::Rollout& other, const fleet::NewRollout& wanted) {
  return other.model == wanted.model && !fleet::has_ended(other.state);
}

}  // namespace

Expected<void> Api::test_zones(const fleet::RolloutPolicy& policy) const {
  for (std::size_t i = 0; i < policy.windows.size(); ++i) {
    const auto& zone = policy.windows[i].time_zone;
    if (ports_.local_clock(zone, ports_.now(), 0, 0)) continue;
    return fleet::fail(ErrorKind::invalid, "windows[" + std::to_string(i) + "].time_zone " +
                                               fleet::quoted(zone) +
                                               " is not known; use an IANA name like Europe/Berlin");
  }
  return {};
}

Expected<fleet::Survey> Api::survey_of(const fleet::NewRollout& rollout, bool until_included) const {
  const auto trial = trial_of(rollout, ports_.now());
  fleet::Survey survey(ports_.catalog.catalog()->with(trial), kTrialId, circumstances());
  std::string after;
  while (true) {
    const auto page = ports_.devices.page_of_devices(rollout.model, after, kPageMax);
    if (!page) return tl::unexpected(page.error());
    for (const auto& device : *page) survey.add(device);
    if (page->size() < static_cast<std::size_t>(kPageMax) || (until_included && survey.included > 0))
      return survey;
    after = page->back().id;
  }
}

Expected<std::vector<std::string>> Api::warnings_of(const fleet::NewRollout& rollout) const {
  std::vector<std::string> warnings;
  const auto catalog = ports_.catalog.catalog();
  if (!rollout.policy.stages.empty() && rollout.percentage != 100) {
    warnings.emplace_back("rollout_percentage is passed over: the stages decide");
  }
  for (const auto& other : catalog->rollouts()) {
    if (!overlaps(other, rollout)) continue;
    warnings.push_back("rollout " + std::to_string(other.id) + " '" + other.name + "' of this model is " +
                       std::string(to_string(other.state)) +
                       " too; for a device that both include, the newest decides");
  }
  const auto* release = catalog->find_release(rollout.model, rollout.version);
  if (release == nullptr) return warnings;  // creating it says so
  const auto versions = ports_.devices.running_versions(rollout.model);
  if (!versions) return tl::unexpected(versions.error());
  std::size_t dead_ends = 0;
  for (const auto& [version, devices] : *versions) {
    if (fleet::can_reach(version, *release, *catalog)) continue;
    ++dead_ends;
    warnings.push_back(std::to_string(devices) + " devices run " +
                       (version.empty() ? "no known version" : version) +
                       ", from which no release leads to " + rollout.version);
  }
  if (dead_ends > 0 && dead_ends == versions->size()) {
    return fleet::fail(ErrorKind::invalid, "firmware_version " + rollout.version + " needs at least " +
                                               release->min_version.value_or("") +
                                               ", and no device of the model could ever get there");
  }
  const auto survey = survey_of(rollout, /*until_included=*/true);
  if (!survey) return tl::unexpected(survey.error());
  if (survey->included == 0)
    warnings.emplace_back("no device that is known now is included; later ones may be");
  return warnings;
}

Response Api::simulate_rollout(Request& request) {
  auto rollout = fleet::parse_json(request.body).and_then(read_trial);
  if (!rollout) return error_reply(rollout.error());
  if (auto zones = test_zones(rollout->policy); !zones) return error_reply(zones.error());
  if (ports_.catalog.catalog()->find_release(rollout->model, rollout->version) == nullptr) {
    return error_reply(fleet::Error{ErrorKind::invalid, "firmware_version " + rollout->version +
                                                            " of device_model " + rollout->model +
                                                            " does not exist; upload it first"});
  }
  auto warnings = warnings_of(*rollout);
  if (!warnings) return error_reply(warnings.error());
  const auto survey = survey_of(*rollout, /*until_included=*/false);
  return survey ? ok_reply(survey_json(*survey, *warnings)) : error_reply(survey.error());
}

}  // namespace ota::http
