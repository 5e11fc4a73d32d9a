#include "topics/payloads.hpp"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "fleet/parse_messages.hpp"
#include "fleet/strict_json.hpp"

namespace ota::topics {
namespace {

using Json = nlohmann::ordered_json;

// Texts of an adopted database may hold bytes that are not UTF-8; they are replaced rather than thrown at.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

fleet::Expected<fleet::JsonValue> decode(std::string_view payload) {
  if (payload.size() > fleet::kDeviceMessageBytesMax) {
    return fleet::fail(fleet::ErrorKind::too_large,
                       "message of " + std::to_string(payload.size()) + " bytes; at most " +
                           std::to_string(fleet::kDeviceMessageBytesMax) + " are taken");
  }
  return fleet::parse_json(payload);
}

Json nullable(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

double failure_percent(const fleet::RolloutFigures& rollout) {
  std::int64_t failed = 0;
  std::int64_t finished = 0;
  for (const auto& [status, count] : rollout.by_status) {
    const auto parsed = fleet::parse_status(status);
    if (!parsed || !fleet::is_final(*parsed)) continue;
    finished += count;
    if (*parsed != fleet::Status::success) failed += count;
  }
  return finished == 0 ? 0.0 : 100.0 * static_cast<double>(failed) / static_cast<double>(finished);
}

}  // namespace

fleet::Expected<fleet::Check> decode_check(std::string_view payload) {
  return decode(payload).and_then(fleet::parse_check);
}

fleet::Expected<fleet::Report> decode_report(std::string_view payload, std::string_view device_id) {
  return decode(payload).and_then(
      [&](const fleet::JsonValue& body) { return fleet::parse_report(body, device_id); });
}

fleet::Expected<fleet::Presence> decode_presence(std::string_view payload) {
  return decode(payload).and_then(fleet::parse_presence);
}

std::optional<std::string> salvage_report_id(std::string_view payload) {
  // An id longer than the grammar's is told back whole: cut, its sender would not know it.
  constexpr std::size_t kToldBytesMax = 256;
  constexpr std::string_view kName = "\"report_id\"";
  constexpr std::string_view kBlanks = " \t\r\n";
  auto rest = payload.substr(0, fleet::kDeviceMessageBytesMax);
  // The text may be no JSON at all, so the member is looked for, not parsed; one with escapes is given up.
  const auto name = rest.find(kName);
  if (name == std::string_view::npos) return std::nullopt;
  rest.remove_prefix(name + kName.size());
  for (const char expected : {':', '"'}) {
    const auto at = rest.find_first_not_of(kBlanks);
    if (at == std::string_view::npos || rest[at] != expected) return std::nullopt;
    rest.remove_prefix(at + 1);
  }
  const auto end = rest.find_first_of("\"\\");
  if (end == std::string_view::npos || end == 0 || end > kToldBytesMax || rest[end] == '\\')
    return std::nullopt;
  const auto id = rest.substr(0, end);
  const bool is_plain = std::all_of(id.begin(), id.end(), [](char c) { return c >= ' ' && c <= '~'; });
  return is_plain ? std::optional<std::string>(id) : std::nullopt;
}

std::int64_t decode_offer_attempt(std::string_view payload) {
  const auto body = decode(payload);
  if (!body) return 0;
  const auto attempt = fleet::optional_integer(*body, "attempt_id", 1, INT64_MAX);
  return attempt ? attempt->value_or(0) : 0;
}

// A manifest that does not fit into an offer is fetched: an RSA signature alone has 512 characters.
std::string manifest_url(const fleet::Release& release, std::string_view public_url) {
  std::string version = release.version;
  for (auto at = version.find('+'); at != std::string::npos; at = version.find('+', at))
    version.replace(at, 1, "%2B");
  return std::string(public_url) + "/api/firmware/manifest/" + version + "?device_model=" + release.model;
}

std::string encode_offer(const fleet::OfferAnswer& offer, const std::string& download_path,
                         std::string_view public_url) {
  const auto& release = *offer.release;
  Json json = {
      {"update_available", true},
      {"current_version", offer.current_version},
      {"latest_version", release.version},
      {"download_url", std::string(public_url) + download_path},
      {"file_size", release.size_bytes},
      {"checksum_sha256", release.sha256},
      {"release_notes", std::string(fleet::cut_utf8(release.notes, fleet::kNotesBytesMax))},
      {"attempt_id", offer.attempt_id},
  };
  if (offer.start_within_seconds > 0) json["start_within_seconds"] = offer.start_within_seconds;
  if (!release.manifest.empty()) {
    json["server_time"] =
        std::chrono::floor<std::chrono::seconds>(offer.answered_at.time_since_epoch()).count();
    json["manifest"] = release.manifest;
  }
  std::string text = dump(json);
  if (text.size() <= fleet::kOfferBytesMax) return text;
  json["release_notes"] = "";
  text = dump(json);
  if (text.size() <= fleet::kOfferBytesMax || release.manifest.empty()) return text;
  json.erase("manifest");
  json["manifest_url"] = manifest_url(release, public_url);
  return dump(json);
}

std::string encode_no_update(const fleet::NoUpdateAnswer& answer) {
  Json json = {{"update_available", false}, {"current_version", answer.current_version}};
  if (answer.latest_version) json["latest_version"] = *answer.latest_version;
  json["reason"] = std::string(fleet::cut_utf8(answer.reason, fleet::kNotesBytesMax));
  return dump(json);
}

std::string encode_refusal(std::string_view reason) {
  return dump(
      {{"update_available", false}, {"reason", std::string(fleet::cut_utf8(reason, fleet::kNotesBytesMax))}});
}

std::string encode_withdrawn(std::int64_t attempt_id) {
  return dump({{"update_available", false}, {"attempt_id", attempt_id}, {"reason", "withdrawn"}});
}

std::string encode_ack(std::string_view report_id, bool recorded, std::string_view reason) {
  Json json = Json::object();
  if (!report_id.empty()) json["report_id"] = std::string(report_id);
  json["recorded"] = recorded;
  if (!recorded) json["reason"] = std::string(fleet::cut_utf8(reason, fleet::kNotesBytesMax));
  return dump(json);
}

std::string encode_summary(const fleet::FleetSummary& summary) {
  return dump({{"total_devices", summary.total_devices},
               {"devices_by_model", summary.devices_by_model},
               {"recent_updates_24h", summary.recent_updates_24h},
               {"active_rollouts", summary.active_rollouts},
               {"devices_online", summary.devices_online}});
}

std::string encode_event(const fleet::EventRow& event) {
  const auto data = event.data_json.empty() ? Json(nullptr) : Json::parse(event.data_json, nullptr, false);
  return dump({{"id", event.id},
               {"event_type", event.type},
               {"device_id", nullable(event.device_id)},
               {"firmware_version", nullable(event.version)},
               {"rollout_id", event.rollout_id == 0 ? Json(nullptr) : Json(event.rollout_id)},
               {"event_data", data.is_discarded() ? Json(nullptr) : data},
               {"created_at", event.created_at},
               {"created_by", nullable(event.by)}});
}

std::string encode_rollout(const fleet::RolloutFigures& rollout) {
  return dump({{"id", rollout.id},
               {"name", rollout.name},
               {"firmware_version", rollout.version},
               {"device_model", rollout.model},
               {"state", rollout.state},
               {"percentage", rollout.percentage},
               {"counts", rollout.by_status},
               {"failure_rate_percent", failure_percent(rollout)}});
}

std::string encode_service_online(std::string_view version, std::string_view replica, bool leader,
                                  std::int64_t reading) {
  Json json = {{"online", true},
               {"version", std::string(version)},
               {"replica", std::string(replica)},
               {"leader", leader}};
  if (reading > 0) json["reading"] = reading;
  return dump(json);
}

std::int64_t decode_service_reading(std::string_view payload) {
  const auto body = decode(payload);
  if (!body) return 0;
  const auto reading = fleet::optional_integer(*body, "reading", 1, INT64_MAX);
  return reading ? reading->value_or(0) : 0;
}

std::string encode_service_offline() {
  return R"({"online":false})";
}

}  // namespace ota::topics
