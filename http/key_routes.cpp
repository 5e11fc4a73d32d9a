#include "fleet/ids.hpp"
#include "fleet/iso_time.hpp"
#include "fleet/parse_messages.hpp"
#include "http/admin_replies.hpp"
#include "http/api.hpp"
#include "http/params.hpp"
#include "http/replies.hpp"
#include "http/rollout_body.hpp"

namespace ota::http {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

Expected<std::optional<fleet::Time>> read_expiry(const fleet::JsonValue& body, fleet::Time now) {
  const auto text = fleet::optional_text(body, "expires_at");
  if (!text) return tl::unexpected(text.error());
  if (!*text) return std::nullopt;
  const auto time = fleet::parse_iso_time(**text);
  if (!time || *time <= now) {
    return fleet::fail(
        ErrorKind::invalid,
        "expires_at must be a time to come, ISO 8601 with offset such as 2031-05-01T00:00:00Z");
  }
  return time;
}

Expected<fleet::NewKey> read_key(const fleet::JsonValue& body, fleet::Time now) {
  fleet::NewKey key;
  const auto name = fleet::required_text(body, "name");
  if (!name) return tl::unexpected(name.error());
  auto parsed = fleet::parse_key_name(*name);
  if (!parsed) return tl::unexpected(parsed.error());
  key.name = std::move(*parsed);
  const auto role = fleet::required_text(body, "role");
  if (!role) return tl::unexpected(role.error());
  const auto known = fleet::parse_key_role(*role);
  if (!known) {
    return fleet::fail(ErrorKind::invalid, "role must be one of viewer, publisher, operator, admin");
  }
  key.role = *known;
  const auto expires_at = read_expiry(body, now);
  if (!expires_at) return tl::unexpected(expires_at.error());
  key.expires_at = *expires_at;
  return key;
}

}  // namespace

Response Api::list_keys(Request& request) {
  const auto limit = limit_param(*request.params, 100, fleet::kKeysMax);
  if (!limit) return error_reply(limit.error());
  const auto rows = ports_.keys.list_keys(*limit);
  return rows ? ok_reply(keys_json(*rows)) : error_reply(rows.error());
}

Response Api::create_key(Request& request) {
  const auto body = read_body(request.body, "name role expires_at");
  if (!body) return error_reply(body.error());
  auto key = read_key(*body, ports_.now());
  if (!key) return error_reply(key.error());
  const auto text = fleet::key_text(ports_.random());
  key->digest = ports_.sha256(text);
  key->by = request.actor;
  if (const auto added = ports_.keys.add_key(*key); !added) return error_reply(added.error());
  auto reply = ok_reply(key_created_json(*key, text));
  reply.status = 201;
  reply.headers.emplace_back("Cache-Control", "no-store");
  return reply;
}

Response Api::revoke_key(Request& request) {
  const auto name = fleet::parse_id("name", request.captured);
  if (!name) return error_reply(name.error());
  const auto revoked = ports_.keys.revoke_key(*name, request.actor);
  return revoked ? ok_reply(status_json("Key revoked: it is refused from now on"))
                 : error_reply(revoked.error());
}

}  // namespace ota::http
