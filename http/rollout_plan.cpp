// What a rollout would do, before it does: creating one with the warnings an admin should know, and simulate.
#include <algorithm>
#include <iterator>
#include <limits>

#include "fleet/ids.hpp"
#include "fleet/strict_json.hpp"
#include "fleet/target_filter.hpp"
#include "fleet/version.hpp"
#include "http/admin_replies.hpp"
#include "http/api.hpp"
#include "http/replies.hpp"
#include "http/rollout_body.hpp"

namespace ota::http {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

constexpr int kPageMax = 2000;
// Warnings of one kind that are told one by one.
constexpr std::size_t kNamedMax = 10;
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

bool share_an_id(std::vector<std::string> left, std::vector<std::string> right) {
  std::sort(left.begin(), left.end());
  std::sort(right.begin(), right.end());
  std::vector<std::string> both;
  std::set_intersection(left.begin(), left.end(), right.begin(), right.end(), std::back_inserter(both));
  return !both.empty();
}

// Only two lists of device ids are known to have no device in common; all else depends on the devices.
bool may_share_devices(const fleet::Rollout& other, const fleet::Rollout& wanted) {
  const auto lists_ids = [](const fleet::Rollout& rollout) {
    return rollout.rolls_back == 0 && rollout.target.type == fleet::TargetType::specific &&
           rollout.target.mac_addresses.empty();
  };
  if (!lists_ids(other) || !lists_ids(wanted)) return true;
  return share_an_id(other.target.device_ids, wanted.target.device_ids);
}

void warn_of_rivals(const fleet::Catalog& catalog, const fleet::Rollout& wanted,
                    std::vector<std::string>& warnings) {
  std::vector<const fleet::Rollout*> rivals;
  for (const auto& other : catalog.rollouts()) {
    const bool is_rival =
        other.model == wanted.model && !fleet::has_ended(other.state) && may_share_devices(other, wanted);
    if (is_rival) rivals.push_back(&other);
  }
  std::sort(rivals.begin(), rivals.end(), [](const auto* a, const auto* b) { return a->id > b->id; });
  for (std::size_t i = 0; i < std::min(rivals.size(), kNamedMax); ++i) {
    const auto& other = *rivals[i];
    warnings.push_back("rollout " + std::to_string(other.id) + " '" + other.name + "' of this model is " +
                       std::string(to_string(other.state)) +
                       " too; for a device that both include, the newest decides");
  }
  if (rivals.size() <= kNamedMax) return;
  warnings.push_back("so it is with " + std::to_string(rivals.size() - kNamedMax) +
                     " more rollouts of this model");
}

// Devices that can never get to `target`; `invalid` when no device can.
Expected<void> warn_of_dead_ends(const std::map<std::string, std::int64_t>& devices_by_version,
                                 const fleet::Release& target, const fleet::Catalog& catalog,
                                 std::vector<std::string>& warnings) {
  std::size_t dead_ends = 0;
  std::int64_t unnamed = 0;
  bool any_may_get_there = devices_by_version.empty();
  for (const auto& [version, devices] : devices_by_version) {
    const bool arrives = fleet::can_reach(version, target, catalog);
    // What a device runs that never said so may still be anything.
    if (arrives || version.empty()) any_may_get_there = true;
    if (arrives) continue;
    if (++dead_ends > kNamedMax) {
      unnamed += devices;
      continue;
    }
    warnings.push_back(std::to_string(devices) + " devices run " +
                       (version.empty() ? "no known version" : version) +
                       ", from which no release leads to " + target.version);
  }
  if (!any_may_get_there) {
    return fleet::fail(ErrorKind::invalid, "firmware_version " + target.version + " needs at least " +
                                               target.min_version.value_or("") +
                                               ", and no device of the model could ever get there");
  }
  if (unnamed > 0) warnings.push_back(std::to_string(unnamed) + " more devices run other such versions");
  return {};
}

// A newer manifest for the target can still be added, so this is no reason to refuse the rollout.
void warn_of_old_manifest(const std::map<std::string, std::int64_t>& devices_by_version,
                          const fleet::Release& target, const fleet::Catalog& catalog,
                          std::vector<std::string>& warnings) {
  std::int64_t refusing = 0;
  for (const auto& [version, devices] : devices_by_version) {
    const bool is_other = fleet::compare_versions(version, target.version) != fleet::Order::same;
    if (is_other && fleet::would_refuse(version, target, catalog)) refusing += devices;
  }
  if (refusing == 0) return;
  warnings.push_back(std::to_string(refusing) + " devices have installed a newer manifest than sequence " +
                     std::to_string(target.sequence) + " of " + target.version +
                     " and are offered it only once it has a newer one (otactl sign)");
}

void warn_of_nobody(const fleet::Survey& survey, std::vector<std::string>& warnings) {
  if (survey.included > 0) return;
  warnings.emplace_back("no device that is known now is included; later ones may be");
}

}  // namespace

// One that is not known yet is for the store to judge, and for the decisions about devices.
Expected<void> Api::test_signed(const std::string& model, const std::string& version) const {
  const auto catalog = ports_.catalog.catalog();
  const auto* release = catalog->find_release(model, version);
  if (release == nullptr || catalog->may_offer(*release)) return {};
  return fleet::fail(ErrorKind::conflict,
                     "firmware_version " + version + " of device_model " + model +
                         " has no signed manifest, and with REQUIRE_SIGNED=1 only signed releases are "
                         "offered: add one by POST /api/admin/firmware/" +
                         version + "/manifest?device_model=" + model + " (otactl sign makes it)");
}

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

Expected<Api::Plan> Api::read_plan(const Request& request, ReadRollout read) const {
  const auto json = fleet::parse_json(request.body);
  if (!json) return tl::unexpected(json.error());
  auto rollout = read(*json);
  if (!rollout) return tl::unexpected(rollout.error());
  if (auto zones = test_zones(rollout->policy); !zones) return tl::unexpected(zones.error());

  Plan plan{std::move(*rollout), request.warnings, false};
  for (auto& unknown : unknown_in(*json, RolloutBody::whole)) plan.warnings.push_back(std::move(unknown));
  for (auto& idle : idle_in_filter(*json, plan.rollout.target_type)) plan.warnings.push_back(std::move(idle));
  if (const auto& end_at = plan.rollout.policy.end_at; end_at && *end_at <= ports_.now()) {
    plan.warnings.emplace_back("end_at has passed: the rollout ends as it begins");
  }
  if (!plan.rollout.policy.stages.empty() && names_percentage(*json)) {
    plan.warnings.emplace_back("rollout_percentage is passed over: the stages decide");
  }
  const auto catalog = ports_.catalog.catalog();
  warn_of_rivals(*catalog, trial_of(plan.rollout, ports_.now()), plan.warnings);
  const auto* release = catalog->find_release(plan.rollout.model, plan.rollout.version);
  if (release == nullptr) return plan;  // creating it says so
  plan.release_known = true;
  const auto versions = ports_.devices.running_versions(plan.rollout.model);
  if (!versions) return tl::unexpected(versions.error());
  if (auto ends = warn_of_dead_ends(*versions, *release, *catalog, plan.warnings); !ends) {
    return tl::unexpected(ends.error());
  }
  warn_of_old_manifest(*versions, *release, *catalog, plan.warnings);
  return plan;
}

Response Api::create_rollout(Request& request) {
  auto plan = read_plan(request, &read_rollout);
  if (!plan) return error_reply(plan.error());
  if (plan->release_known) {
    const auto survey = survey_of(plan->rollout, /*until_included=*/true);
    if (!survey) return error_reply(survey.error());
    warn_of_nobody(*survey, plan->warnings);
  }
  if (auto is_signed = test_signed(plan->rollout.model, plan->rollout.version); !is_signed) {
    return error_reply(is_signed.error());
  }
  plan->rollout.by = request.actor;
  const auto id = ports_.rollouts.create_rollout(plan->rollout);
  if (!id) return error_reply(id.error());
  return ok_reply(rollout_created_json(*id, plan->warnings));
}

Response Api::simulate_rollout(Request& request) {
  auto plan = read_plan(request, &read_trial);
  if (!plan) return error_reply(plan.error());
  const auto& rollout = plan->rollout;
  if (!plan->release_known) {
    return error_reply(fleet::Error{
        ErrorKind::invalid, "firmware_version " + rollout.version + " of device_model " + rollout.model +
                                " does not exist or was withdrawn; upload it first, or another version"});
  }
  const auto survey = survey_of(rollout, /*until_included=*/false);
  if (!survey) return error_reply(survey.error());
  if (auto is_signed = test_signed(rollout.model, rollout.version); !is_signed) {
    plan->warnings.push_back(is_signed.error().message);
  }
  warn_of_nobody(*survey, plan->warnings);
  return ok_reply(survey_json(*survey, plan->warnings));
}

}  // namespace ota::http
