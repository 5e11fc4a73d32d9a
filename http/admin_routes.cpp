#include <limits>

#include "fleet/ids.hpp"
#include "http/admin_replies.hpp"
#include "http/api.hpp"
#include "http/params.hpp"
#include "http/replies.hpp"
#include "http/rollout_body.hpp"

namespace ota::http {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

Expected<fleet::EventQuery> read_event_query(const Params& params) {
  fleet::EventQuery query;
  auto type = optional_id_param(params, "type");
  if (!type) return tl::unexpected(type.error());
  query.type = std::move(*type);
  auto device_id = optional_id_param(params, "device_id");
  if (!device_id) return tl::unexpected(device_id.error());
  query.device_id = std::move(*device_id);
  auto version = optional_version_param(params, "firmware_version");
  if (!version) return tl::unexpected(version.error());
  query.version = std::move(*version);
  const auto rollout = optional_param(params, "rollout_id");
  if (!rollout) return tl::unexpected(rollout.error());
  if (!rollout->empty()) {
    const auto id = parse_whole(*rollout, 1, std::numeric_limits<std::int64_t>::max());
    if (!id) return fleet::fail(ErrorKind::invalid, "rollout_id must be a whole number from 1");
    query.rollout_id = *id;
  }
  const auto limit = limit_param(params, 50, fleet::kListRowsMax);
  if (!limit) return tl::unexpected(limit.error());
  query.count_max = *limit;
  const auto cursor = cursor_param(params);
  if (!cursor) return tl::unexpected(cursor.error());
  query.before_id = *cursor;
  return query;
}

}  // namespace

Api::Api(const ServerOptions& options, const Ports& ports)
    : options_(options), ports_(ports), index_(ports.catalog, ports.releases), gate_(options_, ports_) {}

Response Api::list_releases(Request& request) {
  const auto model = optional_id_param(*request.params, "device_model");
  if (!model) return error_reply(model.error());
  const auto wanted = page_params(*request.params, fleet::List::releases, 10, fleet::kReleaseRowsMax);
  if (!wanted) return error_reply(wanted.error());
  const auto page = ports_.releases.list_releases(*model, *wanted);
  return page ? ok_reply(releases_json(*page)) : error_reply(page.error());
}

Response Api::list_devices(Request& request) {
  const auto model = optional_id_param(*request.params, "device_model");
  if (!model) return error_reply(model.error());
  const auto wanted = page_params(*request.params, fleet::List::devices, 50, fleet::kListRowsMax);
  if (!wanted) return error_reply(wanted.error());
  const auto page = ports_.fleet.list_devices(*model, *wanted);
  return page ? ok_reply(devices_json(*page)) : error_reply(page.error());
}

Response Api::list_updates(Request& request) {
  const auto device_id = optional_id_param(*request.params, "device_id");
  if (!device_id) return error_reply(device_id.error());
  const auto version = optional_version_param(*request.params, "firmware_version");
  if (!version) return error_reply(version.error());
  const auto wanted = page_params(*request.params, fleet::List::updates, 50, fleet::kListRowsMax);
  if (!wanted) return error_reply(wanted.error());
  const auto page = ports_.fleet.list_updates(*device_id, *version, *wanted);
  return page ? ok_reply(updates_json(*page)) : error_reply(page.error());
}

// The release of the path, whose model may be left out where only one has that version. A withdrawn one is
// found by its full name only.
Expected<Api::ReleaseName> Api::find_release(const Request& request) const {
  auto version = fleet::parse_version_text("version", request.captured);
  if (!version) return tl::unexpected(version.error());
  auto model = optional_id_param(*request.params, "device_model");
  if (!model) return tl::unexpected(model.error());
  if (!model->empty()) return ReleaseName{std::move(*version), std::move(*model)};
  const auto rows = ports_.releases.find_releases(*version, "");
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) {
    return fleet::fail(ErrorKind::not_found,
                       "no version " + *version + " that is not withdrawn; name its device_model");
  }
  if (rows->size() > 1) {
    return fleet::fail(ErrorKind::conflict,
                       "version " + *version + " exists for several models; add device_model");
  }
  return ReleaseName{std::move(*version), rows->front().model};
}

Response Api::withdraw_release(Request& request) {
  const auto release = find_release(request);
  if (!release) return error_reply(release.error());
  const auto body = read_order(request.body);
  if (!body) return error_reply(body.error());
  const auto done =
      ports_.releases.withdraw_release(release->version, release->model, request.actor, body->why);
  return done ? ok_reply(status_json("Firmware withdrawn: it is never offered or served again"))
              : error_reply(done.error());
}

Response Api::delete_release(Request& request) {
  const auto release = find_release(request);
  if (!release) return error_reply(release.error());
  const auto file_path = ports_.releases.delete_release(release->version, release->model, request.actor);
  if (!file_path) return error_reply(file_path.error());
  if (!file_path->empty()) ports_.blobs.remove(*file_path);
  return ok_reply(status_json("Firmware deleted successfully"));
}

Response Api::list_events(Request& request) {
  const auto query = read_event_query(*request.params);
  if (!query) return error_reply(query.error());
  const auto rows = ports_.events.list_events(*query);
  if (!rows) return error_reply(rows.error());
  return ok_reply(events_json(*rows, rows->size() < static_cast<std::size_t>(query->count_max)));
}

Response Api::set_frozen(Request& request, bool frozen) {
  const auto body = read_order(request.body);
  if (!body) return error_reply(body.error());
  const auto done = ports_.events.set_frozen(frozen, request.actor, body->why);
  if (!done) return error_reply(done.error());
  return ok_reply(
      status_json(frozen ? "Updates are frozen: nothing new is offered to any device" : "Updates go on"));
}

Response Api::freeze(Request& request) {
  return set_frozen(request, true);
}
Response Api::unfreeze(Request& request) {
  return set_frozen(request, false);
}

}  // namespace ota::http
