#include "http/admin_replies.hpp"

#include "fleet/iso_time.hpp"
#include "http/json_text.hpp"

namespace ota::http {
namespace {

Json percent(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? Json(nullptr) : Json(100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

template <class Row>
Json next_cursor(const std::vector<Row>& rows, bool is_last) {
  return is_last || rows.empty() ? Json(nullptr) : Json(std::to_string(rows.back().id));
}

Json stage_json(const fleet::RolloutRow& row, std::string_view verdict) {
  return {{"index", row.stage},
          {"count", row.policy.stages.size()},
          {"percentage", row.percentage},
          {"entered_at", nullable(row.stage_entered_at)},
          {"why", std::string(verdict)}};
}

Json definition_json(const fleet::RolloutRow& row) {
  return {{"id", row.id},
          {"name", row.name},
          {"firmware_version", row.version},
          {"device_model", row.model},
          {"state", std::string(to_string(row.state))},
          {"is_active", row.state == fleet::RolloutState::running},
          {"target_type", row.target_type},
          {"target_filter", embedded(row.target_filter_json)},
          {"rollout_percentage", row.percentage},
          {"allow_downgrade", row.allow_downgrade},
          {"salt", row.salt},
          {"policy", embedded(fleet::policy_json(row.policy))},
          {"halted", row.halted_json.empty() ? Json(nullptr) : embedded(row.halted_json)},
          {"acknowledged_at", nullable(row.acknowledged_at)},
          {"rolls_back", nullable(row.rolls_back)},
          {"created_at", nullable(row.created_at)},
          {"updated_at", nullable(row.updated_at)},
          {"created_by", nullable(row.created_by)}};
}

Json time_left_seconds(const fleet::RolloutStanding& standing) {
  const auto& due = standing.progress.due_devices;
  if (!due || standing.finished_last_hour == 0) return nullptr;
  return *due * 3600 / standing.finished_last_hour;
}

Json offer_json(const fleet::Device& device) {
  if (!device.offer) return nullptr;
  const auto& offer = *device.offer;
  Json json = {{"attempt_id", offer.attempt_id},
               {"rollout_id", nullable(offer.rollout_id)},
               {"version", offer.version},
               {"from_version", nullable(offer.from_version)},
               {"open", offer.open},
               {"taken", offer.taken},
               {"failed_attempts", offer.failed_attempts},
               {"offered_at", fleet::to_iso(offer.offered_at)}};
  json["last_failure"] =
      offer.last_failure ? Json(std::string(to_string(*offer.last_failure))) : Json(nullptr);
  json["retry_at"] = offer.retry_at ? Json(fleet::to_iso(*offer.retry_at)) : Json(nullptr);
  json["on_broker"] =
      device.on_mqtt && offer.is_standing() && offer.published_revision >= offer.wanted_revision;
  return json;
}

Json attempts_json(const std::vector<fleet::AttemptRow>& attempts) {
  Json list = Json::array();
  for (const auto& row : attempts) {
    list.push_back({{"attempt_id", nullable(row.attempt_id)},
                    {"rollout_id", nullable(row.rollout_id)},
                    {"firmware_version", row.version},
                    {"status", row.status},
                    {"failure", nullable(row.failure)},
                    {"error_message", nullable(row.error)},
                    {"progress_percent", row.progress_percent},
                    {"started_at", nullable(row.started_at)},
                    {"completed_at", nullable(row.completed_at)},
                    {"reported_at", nullable(row.reported_at)}});
  }
  return list;
}

Json examples_json(const std::vector<fleet::Survey::Example>& examples, const char* outcome) {
  Json list = Json::array();
  for (const auto& example : examples) {
    list.push_back(
        {{"device_id", example.device_id}, {"from", nullable(example.version)}, {outcome, example.outcome}});
    if (!example.text.empty()) list.back()["text"] = example.text;
  }
  return list;
}

Json considered_json(const Explanation& explanation) {
  Json list = Json::array();
  for (std::size_t i = 0; i < explanation.considered->size(); ++i) {
    const auto& [rollout, membership] = (*explanation.considered)[i];
    Json one = {{"rollout_id", rollout->id},
                {"name", rollout->name},
                {"firmware_version", rollout->version},
                {"state", std::string(to_string(rollout->state))},
                {"included", membership == fleet::Membership::in},
                {"rule", std::string(to_string(membership))}};
    if (rollout->target.type != fleet::TargetType::specific && rollout->rolls_back == 0) {
      one["bucket"] = explanation.buckets[i];
      one["percentage"] = rollout->target.percentage;
    }
    list.push_back(std::move(one));
  }
  return list;
}

Json blocks_json(const std::vector<Block>& blocks) {
  Json list = Json::array();
  for (const auto& block : blocks) {
    list.push_back({{"reason", std::string(block.reason)}, {"text", block.text}});
  }
  return list;
}

}  // namespace

std::string rollout_created_json(std::int64_t id, const std::vector<std::string>& warnings) {
  Json json = {{"status", "ok"}, {"message", "Rollout created successfully"}, {"id", id}};
  if (!warnings.empty()) json["warnings"] = warnings;
  return dump(json);
}

std::string rollouts_json(const std::vector<fleet::RolloutRow>& rows, bool is_last) {
  Json list = Json::array();
  for (const auto& row : rows) list.push_back(definition_json(row));
  return dump({{"rollouts", std::move(list)}, {"next_cursor", next_cursor(rows, is_last)}});
}

std::string rollout_json(const fleet::RolloutRow& row, const fleet::RolloutStanding& standing,
                         std::string_view verdict) {
  const auto& progress = standing.progress;
  Json json = definition_json(row);
  json["stage"] = stage_json(row, verdict);
  json["counts"] = standing.by_status;
  json["started"] = progress.started;
  json["finished"] = progress.finished;
  json["succeeded"] = progress.succeeded;
  json["failed"] = progress.finished - progress.succeeded;
  json["success_rate_percent"] = percent(progress.succeeded, progress.started);
  json["success_rate_over"] = "started";
  json["failure_rate_percent"] = percent(progress.finished - progress.succeeded, progress.finished);
  json["failure_rate_over"] = "finished";
  json["devices_due"] = progress.due_devices ? Json(*progress.due_devices) : Json(nullptr);
  json["offers_standing"] = standing.offers_standing;
  json["devices_held"] = standing.devices_held;
  json["time_left_seconds"] = time_left_seconds(standing);
  return dump(json);
}

std::string ordered_json(std::string_view message, const fleet::OrderOutcome& outcome) {
  Json json = {
      {"status", "ok"}, {"message", std::string(message)}, {"state", std::string(to_string(outcome.state))}};
  if (outcome.state == fleet::RolloutState::rolled_back) {
    json["rollbacks"] = outcome.rollbacks;
    json["no_way"] = outcome.no_way;
  }
  return dump(json);
}

std::string retried_json(fleet::RolloutState state, std::size_t devices) {
  return dump({{"status", "ok"},
               {"message", "Held devices may try again"},
               {"state", std::string(to_string(state))},
               {"devices", devices}});
}

std::string survey_json(const fleet::Survey& survey, const std::vector<std::string>& warnings) {
  return dump({{"devices", survey.devices},
               {"included", survey.included},
               {"would_update", survey.would_update},
               {"by_version", survey.by_version},
               {"not", survey.not_by_reason},
               {"examples",
                {{"update", examples_json(survey.updated, "to")},
                 {"not", examples_json(survey.not_updated, "reason")}}},
               {"warnings", warnings}});
}

std::string device_json(const fleet::DeviceDetails& details) {
  const auto& device = details.device;
  return dump({{"device_id", device.id},
               {"device_model", device.model},
               {"current_firmware_version", nullable(device.version)},
               {"mac_address", nullable(device.mac)},
               {"seen_on_mqtt", device.on_mqtt},
               {"online", details.online},
               {"last_seen", nullable(details.last_seen)},
               {"created_at", nullable(details.created_at)},
               {"groups", device.groups()},
               {"metadata", embedded(device.metadata)},
               {"pinned_version", nullable(device.pinned_version)},
               {"hold", device.hold},
               {"offer", offer_json(device)},
               {"attempts", attempts_json(details.attempts)}});
}

std::string explanation_json(const fleet::DeviceDetails& details, const Explanation& explanation) {
  Json json = {{"device_id", details.device.id},
               {"device_model", details.device.model},
               {"current_firmware_version", nullable(details.device.version)}};
  if (const auto* update = std::get_if<fleet::Update>(explanation.decision)) {
    json["update_available"] = true;
    json["version"] = update->release->version;
    json["rollout_id"] = update->rollout->id;
    json["reason"] = "update";
    json["text"] = "gets " + update->release->version + " by rollout '" + update->rollout->name + "'" +
                   (update->release->version == update->rollout->version
                        ? ""
                        : ", a step on the way to " + update->rollout->version);
  } else {
    const auto& none = std::get<fleet::NoUpdate>(*explanation.decision);
    json["update_available"] = false;
    json["version"] = nullptr;
    json["rollout_id"] = none.rollout == nullptr ? Json(nullptr) : Json(none.rollout->id);
    json["reason"] = std::string(to_string(none.reason));
    json["text"] = none.text;
  }
  json["looked_at"] = considered_json(explanation);
  json["blocks"] = blocks_json(explanation.blocks);
  json["offer"] = offer_json(details.device);
  json["seen_on_mqtt"] = details.device.on_mqtt;
  return dump(json);
}

std::string offered_json(const OfferOutcome& outcome) {
  return dump({{"status", "ok"},
               {"message", "Rollout for this device created successfully"},
               {"rollout_id", outcome.rollout_id},
               {"offered", outcome.offered},
               {"outcome", outcome.text}});
}

std::string group_json(const fleet::GroupOutcome& outcome) {
  return dump({{"status", "ok"},
               {"message", "Group updated successfully"},
               {"changed", outcome.changed.size()},
               {"unknown", outcome.unknown}});
}

std::string keys_json(const std::vector<fleet::KeyRow>& rows) {
  Json keys = Json::array();
  for (const auto& row : rows) {
    keys.push_back({{"name", row.name},
                    {"role", row.role},
                    {"created_at", nullable(row.created_at)},
                    {"created_by", nullable(row.created_by)},
                    {"expires_at", nullable(row.expires_at)},
                    {"revoked_at", nullable(row.revoked_at)},
                    {"last_used_at", nullable(row.last_used_at)}});
  }
  return dump({{"keys", std::move(keys)}});
}

std::string key_created_json(const fleet::NewKey& created, const std::string& key) {
  return dump({{"status", "ok"},
               {"message", "Key created: it is shown this once"},
               {"name", created.name},
               {"role", std::string(to_string(created.role))},
               {"expires_at", created.expires_at ? Json(fleet::to_iso(*created.expires_at)) : Json(nullptr)},
               {"key", key}});
}

std::string events_json(const std::vector<fleet::EventRow>& rows, bool is_last) {
  Json list = Json::array();
  for (const auto& row : rows) {
    list.push_back({{"id", row.id},
                    {"event_type", row.type},
                    {"device_id", nullable(row.device_id)},
                    {"firmware_version", nullable(row.version)},
                    {"rollout_id", nullable(row.rollout_id)},
                    {"event_data", row.data_json.empty() ? Json(nullptr) : embedded(row.data_json)},
                    {"created_at", nullable(row.created_at)},
                    {"created_by", nullable(row.by)}});
  }
  return dump({{"events", std::move(list)}, {"next_cursor", next_cursor(rows, is_last)}});
}

}  // namespace ota::http
