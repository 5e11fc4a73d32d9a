#include "http/api.hpp"
#include "http/params.hpp"
#include "http/replies.hpp"

namespace ota::http {
namespace {

// The time this takes tells nothing about where `given` begins to differ.
bool same_secret(std::string_view given, std::string_view key) {
  auto difference = static_cast<unsigned>(given.size() != key.size());
  for (std::size_t i = 0; i < key.size(); ++i) {
    const char c = given.empty() ? '\0' : given[i % given.size()];
    difference |= static_cast<unsigned>(static_cast<unsigned char>(c ^ key[i]));
  }
  return difference == 0;
}

}  // namespace

Api::Api(const ServerOptions& options, const Ports& ports)
    : options_(options), ports_(ports), index_(ports.catalog, ports.releases) {}

std::optional<Response> Api::refuse_key(const Request& request) const {
  if (options_.api_key.empty()) return error_reply(503, "API key not configured");
  const auto given = request.header("X-API-Key");
  if (given && same_secret(*given, options_.api_key)) return std::nullopt;
  return error_reply(401, "send the admin's key in one X-API-Key header");
}

Response Api::list_releases(Request& request) {
  const auto model = optional_id_param(*request.params, "device_model");
  if (!model) return error_reply(model.error());
  const auto limit = limit_param(*request.params, 10, 100);
  if (!limit) return error_reply(limit.error());
  const auto rows = ports_.releases.list_releases(*model, *limit);
  return rows ? ok_reply(releases_json(*rows)) : error_reply(rows.error());
}

Response Api::list_devices(Request& request) {
  const auto model = optional_id_param(*request.params, "device_model");
  if (!model) return error_reply(model.error());
  const auto limit = limit_param(*request.params, 50, 500);
  if (!limit) return error_reply(limit.error());
  const auto rows = ports_.fleet.list_devices(*model, *limit);
  return rows ? ok_reply(devices_json(*rows)) : error_reply(rows.error());
}

Response Api::list_updates(Request& request) {
  const auto device_id = optional_id_param(*request.params, "device_id");
  if (!device_id) return error_reply(device_id.error());
  const auto version = optional_version_param(*request.params, "firmware_version");
  if (!version) return error_reply(version.error());
  const auto limit = limit_param(*request.params, 50, 500);
  if (!limit) return error_reply(limit.error());
  const auto rows = ports_.fleet.list_updates(*device_id, *version, *limit);
  return rows ? ok_reply(updates_json(*rows)) : error_reply(rows.error());
}

}  // namespace ota::http
