#include <limits>

#include "fleet/strict_json.hpp"
#include "http/api.hpp"
#include "http/params.hpp"
#include "http/replies.hpp"
#include "http/rollout_body.hpp"

namespace ota::http {
namespace {

fleet::Expected<std::int64_t> rollout_id(std::string_view text) {
  if (const auto id = parse_whole(text, 1, std::numeric_limits<std::int64_t>::max())) return *id;
  return fleet::fail(fleet::ErrorKind::invalid, "the rollout's id must be a whole number from 1");
}

}  // namespace

Response Api::create_rollout(Request& request) {
  const auto rollout = fleet::parse_json(request.body).and_then(read_rollout);
  if (!rollout) return error_reply(rollout.error());
  const auto id = ports_.rollouts.create_rollout(*rollout);
  return id ? ok_reply(rollout_created_json(*id)) : error_reply(id.error());
}

Response Api::patch_rollout(Request& request) {
  const auto id = rollout_id(request.captured);
  if (!id) return error_reply(id.error());
  const auto patch = fleet::parse_json(request.body).and_then(read_rollout_patch);
  if (!patch) return error_reply(patch.error());
  const auto patched = ports_.rollouts.patch_rollout(*id, *patch);
  return patched ? ok_reply(status_json("Rollout updated successfully")) : error_reply(patched.error());
}

Response Api::deactivate_rollout(Request& request) {
  const auto id = rollout_id(request.captured);
  if (!id) return error_reply(id.error());
  const auto ended = ports_.rollouts.deactivate_rollout(*id, "admin");
  return ended ? ok_reply(status_json("Rollout deactivated successfully")) : error_reply(ended.error());
}

}  // namespace ota::http
