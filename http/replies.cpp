#include "http/replies.hpp"

#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>

#include "fleet/iso_time.hpp"
#include "fleet/manifest.hpp"
#include "fleet/parse_messages.hpp"
#include "http/json_text.hpp"

namespace ota::http {
namespace {

// A label's value in text exposition format 0.0.4.
std::string label(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || c == '"') escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped;
}

// While a dependency is away every request fails for the same reason: once a second says it.
void log_now_and_then(const std::string& message) {
  using Clock = std::chrono::steady_clock;
  static std::atomic<Clock::rep> next_at{0};
  const auto now = Clock::now().time_since_epoch();
  auto due = next_at.load();
  const auto again = Clock::duration(now + std::chrono::seconds(1)).count();
  if (now.count() >= due && next_at.compare_exchange_strong(due, again)) spdlog::warn("http: {}", message);
}

// What an admin wants to know of a manifest before signing the next one.
Json manifest_json(const std::string& text) {
  const auto manifest = fleet::parse_manifest(text);
  if (!manifest) return nullptr;
  return {{"sequence", manifest->sequence},
          {"key_id", manifest->key_id},
          {"expires", manifest->expires ? Json(fleet::to_iso(*manifest->expires)) : Json(nullptr)}};
}

std::string list_json(const char* name, Json rows, const std::optional<fleet::ListCursor>& next,
                      fleet::List list) {
  Json json = {{name, std::move(rows)}};
  if (next) json["next_cursor"] = to_text(*next, list);
  return dump(json);
}

void add_gauge(std::string& text, std::string_view name, std::string_view help) {
  text.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ").append(name);
  text.append(" gauge\n");
}

}  // namespace

int status_of(fleet::ErrorKind kind) {
  switch (kind) {
    case fleet::ErrorKind::invalid:
      return 422;
    case fleet::ErrorKind::malformed:
      return 400;
    case fleet::ErrorKind::unauthorized:
      return 401;
    case fleet::ErrorKind::forbidden:
      return 403;
    case fleet::ErrorKind::not_found:
      return 404;
    case fleet::ErrorKind::conflict:
      return 409;
    case fleet::ErrorKind::too_large:
      return 413;
    case fleet::ErrorKind::too_slow:
      return 408;
    case fleet::ErrorKind::unavailable:
    case fleet::ErrorKind::in_doubt:
      return 503;
    case fleet::ErrorKind::storage_full:
      return 507;
    case fleet::ErrorKind::internal:
      break;
  }
  return 500;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 400:
      return "Bad Request";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Payload Too Large";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    default:
      return status < 500 ? "Refused" : "Internal Server Error";
  }
}

std::string detail_json(std::string_view message) {
  return dump({{"detail", std::string(message)}});
}

Response ok_reply(std::string json) {
  Response response;
  response.body = std::move(json);
  return response;
}

Response error_reply(int status, std::string_view detail, std::string_view retry_after_seconds) {
  Response response;
  response.status = status;
  response.body = detail_json(detail);
  if (status == 503 || status == 429) response.headers.emplace_back("Retry-After", retry_after_seconds);
  return response;
}

Response error_reply(const fleet::Error& error) {
  const int status = status_of(error.kind);
  if (status != 500) {
    if (!error.outside.empty()) log_now_and_then(error.message);
    return error_reply(status, error.outside.empty() ? error.message : error.outside);
  }
  spdlog::error("http: {}", error.message);
  return error_reply(status, "internal error; the server's log says more");
}

std::string check_json(const fleet::OfferAnswer& offer, const std::string& download_path, bool with_attempt) {
  const auto& release = *offer.release;
  auto notes = fleet::cut_utf8(release.notes, fleet::kNotesBytesMax);
  while (true) {
    Json json = {
        {"update_available", true},
        {"current_version", offer.current_version},
        {"latest_version", release.version},
        {"download_url", download_path},
        {"file_size", release.size_bytes},
        {"checksum_sha256", release.sha256},
        {"release_notes", std::string(notes)},
    };
    if (with_attempt) {
      json["attempt_id"] = offer.attempt_id;
      if (!release.manifest.empty()) {
        json["server_time"] =
            std::chrono::floor<std::chrono::seconds>(offer.answered_at.time_since_epoch()).count();
        json["manifest"] = release.manifest;
      }
      if (offer.start_within_seconds > 0) json["start_within_seconds"] = offer.start_within_seconds;
    }
    std::string text = dump(json);
    if (text.size() <= fleet::kOfferBytesMax || notes.empty()) return text;
    // Escapes made the notes longer than their 256 bytes: halve them until the answer fits.
    notes = fleet::cut_utf8(notes, notes.size() / 2);
  }
}

std::string check_json(const fleet::NoUpdateAnswer& answer) {
  Json json = {{"update_available", false}, {"current_version", answer.current_version}};
  if (answer.latest_version) json["latest_version"] = *answer.latest_version;
  json["reason"] = std::string(fleet::cut_utf8(answer.reason, fleet::kNotesBytesMax));
  return dump(json);
}

std::string status_json(std::string_view message, const std::vector<std::string>& warnings) {
  Json json = {{"status", "ok"}, {"message", std::string(message)}};
  if (!warnings.empty()) json["warnings"] = warnings;
  return dump(json);
}

std::string uploaded_json(const fleet::NewRelease& release, const std::vector<std::string>& warnings) {
  Json json = {{"status", "ok"},
               {"message", "Firmware uploaded successfully"},
               {"version", release.version},
               {"file_size", release.size_bytes},
               {"checksum_sha256", release.sha256},
               {"image", embedded(release.image_json)}};
  if (!release.forced.empty()) json["forced"] = release.forced;
  if (!warnings.empty()) json["warnings"] = warnings;
  return dump(json);
}

std::string releases_json(const fleet::Page<fleet::ReleaseRow>& page) {
  Json list = Json::array();
  for (const auto& row : page.rows) {
    list.push_back({{"version", row.version},
                    {"device_model", row.model},
                    {"file_size", row.size_bytes},
                    {"checksum_sha256", row.sha256},
                    {"is_signed", row.is_signed},
                    {"created_at", nullable(row.created_at)},
                    {"release_notes", nullable(row.notes)},
                    {"verified", row.verified},
                    {"image", embedded(row.image_json)},
                    {"forced", nullable(row.forced)},
                    {"manifest", manifest_json(row.manifest)},
                    {"withdrawn_at", nullable(row.withdrawn_at)}});
  }
  return list_json("releases", std::move(list), page.next, fleet::List::releases);
}

std::string devices_json(const fleet::Page<fleet::DeviceRow>& page) {
  Json list = Json::array();
  for (const auto& row : page.rows) {
    list.push_back({{"device_id", row.device_id},
                    {"device_model", row.model},
                    {"current_firmware_version", nullable(row.version)},
                    {"last_seen", nullable(row.last_seen)},
                    {"created_at", nullable(row.created_at)}});
  }
  return list_json("devices", std::move(list), page.next, fleet::List::devices);
}

std::string updates_json(const fleet::Page<fleet::UpdateRow>& page) {
  Json list = Json::array();
  for (const auto& row : page.rows) {
    list.push_back({{"device_id", row.device_id},
                    {"firmware_version", row.version},
                    {"status", row.status},
                    {"error_message", nullable(row.error)},
                    {"progress_percent", row.progress_percent ? Json(*row.progress_percent) : Json(nullptr)},
                    {"started_at", nullable(row.started_at)},
                    {"completed_at", nullable(row.completed_at)},
                    {"reported_at", nullable(row.reported_at)}});
  }
  return list_json("updates", std::move(list), page.next, fleet::List::updates);
}

std::string metrics_json(const fleet::FleetSummary& summary) {
  return dump({{"total_devices", summary.total_devices},
               {"devices_by_model", summary.devices_by_model},
               {"recent_updates_24h", summary.recent_updates_24h},
               {"active_rollouts", summary.active_rollouts},
               {"devices_online", summary.devices_online}});
}

std::string metrics_prometheus(const fleet::FleetSummary& summary) {
  std::string text;
  add_gauge(text, "ota_devices", "Registered devices by model.");
  for (const auto& [model, count] : summary.devices_by_model) {
    text += "ota_devices{model=\"" + label(model) + "\"} " + std::to_string(count) + "\n";
  }
  add_gauge(text, "ota_devices_online", "Devices connected to the broker.");
  text += "ota_devices_online " + std::to_string(summary.devices_online) + "\n";
  add_gauge(text, "ota_updates_24h", "Update attempts of the last 24 hours by status.");
  for (const auto& [status, count] : summary.recent_updates_24h) {
    text += "ota_updates_24h{status=\"" + label(status) + "\"} " + std::to_string(count) + "\n";
  }
  add_gauge(text, "ota_rollouts_active", "Rollouts that are active.");
  text += "ota_rollouts_active " + std::to_string(summary.active_rollouts) + "\n";
  return text;
}

}  // namespace ota::http
