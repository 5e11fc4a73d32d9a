#include "sql/key_store.hpp"

#include "sql/device_rows.hpp"
#include "sql/parameters.hpp"
#include "sql/pooled.hpp"

namespace ota::sql {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

constexpr Statement kCountKeys = {"count_keys", "SELECT count(*) FROM admin_keys WHERE revoked_at IS NULL"};
constexpr Statement kAddKey = {"add_key", R"sql(
  INSERT INTO admin_keys (name, role, key_sha256, expires_at, created_by)
  VALUES ($1, $2, $3, )sql" OTA_SQL_TIME("$4::bigint") R"sql(, $5) ON CONFLICT (name) DO NOTHING)sql"};
constexpr Statement kRevokeKey = {
    "revoke_key", "UPDATE admin_keys SET revoked_at = now() WHERE name = $1 AND revoked_at IS NULL"};
constexpr Statement kKnowsKey = {"knows_key", "SELECT FROM admin_keys WHERE name = $1"};
constexpr Statement kKeyEvent = {"key_event", R"sql(
  INSERT INTO ota_events (event_type, event_data, created_by)
  SELECT $1, jsonb_strip_nulls(jsonb_build_object('name', name, 'role', role, 'expires_at', )sql" OTA_SQL_ISO(
                                                  "expires_at") R"sql()), $3
  FROM admin_keys WHERE name = $2)sql"};
constexpr Statement kListKeys = {
    "list_keys", "SELECT name, role, " OTA_SQL_ISO("created_at") ", created_by, " OTA_SQL_ISO(
                     "expires_at") ", " OTA_SQL_ISO("revoked_at") ", " OTA_SQL_ISO("last_used_at") R"sql(
  FROM admin_keys ORDER BY revoked_at IS NOT NULL, created_at DESC, name LIMIT $1::integer)sql"};

constexpr Statement kLoadKeys = {"load_keys",
                                 "SELECT name, role, key_sha256, " OTA_SQL_MICROSECONDS("expires_at") R"sql(
  FROM admin_keys WHERE revoked_at IS NULL ORDER BY created_at DESC LIMIT $1::integer)sql"};
constexpr Statement kNoteUsed = {"note_keys_used", R"sql(
  UPDATE admin_keys k SET last_used_at = greatest(k.last_used_at, )sql" OTA_SQL_TIME("used.at") R"sql()
  FROM unnest($1::text[], $2::bigint[]) AS used (name, at) WHERE k.name = used.name)sql"};

}  // namespace

Expected<void> PgKeyStore::add_key(const fleet::NewKey& key) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    if (number_of(session.execute(work, kCountKeys)[0][0]) >= fleet::kKeysMax) {
      throw Refusal(ErrorKind::conflict, "there are " + std::to_string(fleet::kKeysMax) +
                                             " keys already; revoke those nobody needs");
    }
    const auto expires =
        key.expires_at ? std::to_string(key.expires_at->time_since_epoch().count()) : std::string();
    const auto added =
        session.execute(work, kAddKey, key.name, std::string(to_string(key.role)), fleet::to_hex(key.digest),
                        text_or_null(expires), text_or_null(key.by));
    if (added.affected_rows() == 0) {
      throw Refusal(ErrorKind::conflict, "a key named " + key.name +
                                             " is or was there; choose another name, so that the audit "
                                             "log stays clear");
    }
    session.execute(work, kKeyEvent, "key_created", key.name, text_or_null(key.by));
  });
}

Expected<std::vector<fleet::KeyRow>> PgKeyStore::list_keys(int count_max) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    std::vector<fleet::KeyRow> keys;
    for (const auto& row : session.execute(work, kListKeys, count_max)) {
      keys.push_back({text_of(row[0]), text_of(row[1]), text_of(row[2]), text_of(row[3]), text_of(row[4]),
                      text_of(row[5]), text_of(row[6])});
    }
    return keys;
  });
}

Expected<void> PgKeyStore::revoke_key(const std::string& name, const std::string& by) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    if (session.execute(work, kRevokeKey, name).affected_rows() > 0) {
      session.execute(work, kKeyEvent, "key_revoked", name, text_or_null(by));
    } else if (session.execute(work, kKnowsKey, name).empty()) {
      throw Refusal(ErrorKind::not_found, "no key named " + name);
    }
  });
}

Expected<fleet::KeyRing> PgKeyRingStore::load_keys() {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    std::vector<fleet::AdminKey> keys;
    for (const auto& row : session.execute(work, kLoadKeys, fleet::kKeysMax)) {
      const auto role = fleet::parse_key_role(text_of(row[1]));
      const auto digest = fleet::digest_from_hex(text_of(row[2]));
      if (!role || !digest) continue;  // what this version does not understand opens nothing
      fleet::AdminKey key{text_of(row[0]), *role, *digest, std::nullopt};
      if (!row[3].is_null()) key.expires_at = time_from(number_of(row[3]));
      keys.push_back(std::move(key));
    }
    return fleet::KeyRing(std::move(keys));
  });
}

Expected<void> PgKeyRingStore::note_used(const std::map<std::string, fleet::Time>& used) {
  ArrayLiteral names;
  ArrayLiteral times;
  for (const auto& [name, at] : used) {
    names.add(name);
    times.add(at);
  }
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    session.execute(work, kNoteUsed, names.str(), times.str());
  });
}

}  // namespace ota::sql
