#include <nlohmann/json.hpp>

#include "fleet/ids.hpp"
#include "http/api.hpp"
#include "http/replies.hpp"
#include "http/rollout_body.hpp"

namespace ota::http {

// The only moment at which the token itself is anywhere on the server.
Response Api::issue_token(Request& request) {
  const auto device_id = fleet::parse_id("device_id", request.captured);
  if (!device_id) return error_reply(device_id.error());
  if (const auto body = read_body(request.body, ""); !body) return error_reply(body.error());
  const auto token = fleet::device_token_text(ports_.random());
  const auto stored = ports_.tokens.set_token({*device_id, ports_.sha256(token)}, request.actor);
  if (!stored) return error_reply(stored.error());
  auto reply = ok_reply(nlohmann::ordered_json{
      {"status", "ok"},
      {"message", "Token issued: it is told only now, and an earlier one is refused from now on"},
      {"device_id", *device_id},
      {"token", token}}.dump());
  reply.status = 201;
  reply.headers.emplace_back("Cache-Control", "no-store");
  return reply;
}

Response Api::revoke_token(Request& request) {
  const auto device_id = fleet::parse_id("device_id", request.captured);
  if (!device_id) return error_reply(device_id.error());
  const auto removed = ports_.tokens.remove_token(*device_id, request.actor);
  return removed ? ok_reply(status_json("Token taken back: it is refused from now on"))
                 : error_reply(removed.error());
}

}  // namespace ota::http
