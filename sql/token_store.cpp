#include "sql/token_store.hpp"

#include "sql/device_rows.hpp"
#include "sql/parameters.hpp"
#include "sql/pooled.hpp"

namespace ota::sql {
namespace {

using fleet::Expected;

constexpr Statement kSet = {"set_device_token", R"sql(
  INSERT INTO device_tokens (device_id, token_sha256, created_by) VALUES ($1, $2, $3)
  ON CONFLICT (device_id) DO UPDATE SET
    token_sha256 = excluded.token_sha256, created_at = excluded.created_at, created_by = excluded.created_by)sql"};
constexpr Statement kRemove = {"remove_device_token", "DELETE FROM device_tokens WHERE device_id = $1"};
constexpr Statement kOwner = {"owner_of_token", R"sql(
  SELECT t.device_id FROM device_tokens t WHERE t.token_sha256 = $1
    AND NOT EXISTS (SELECT FROM devices d WHERE d.device_id = t.device_id AND d.revoked_at IS NOT NULL))sql"};
constexpr Statement kEvent = {
    "token_event", "INSERT INTO ota_events (event_type, device_id, created_by) VALUES ($1, $2, $3)"};

}  // namespace

Expected<void> PgTokenStore::set_token(const fleet::DeviceToken& token, const std::string& by) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    session.execute(work, kSet, token.device_id, fleet::to_hex(token.digest), text_or_null(by));
    session.execute(work, kEvent, "device_token_issued", token.device_id, text_or_null(by));
  });
}

Expected<void> PgTokenStore::remove_token(const std::string& device_id, const std::string& by) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    if (session.execute(work, kRemove, device_id).affected_rows() == 0) {
      throw Refusal(fleet::ErrorKind::not_found, "device " + device_id + " has no token");
    }
    session.execute(work, kEvent, "device_token_revoked", device_id, text_or_null(by));
  });
}

Expected<std::optional<std::string>> PgTokenStore::find_owner(const fleet::KeyDigest& digest) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) -> std::optional<std::string> {
    const auto rows = session.execute(work, kOwner, fleet::to_hex(digest));
    return rows.empty() ? std::nullopt : std::optional(text_of(rows[0][0]));
  });
}

}  // namespace ota::sql
