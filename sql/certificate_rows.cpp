#include "sql/certificate_rows.hpp"

#include "fleet/strict_json.hpp"
#include "sql/device_rows.hpp"
#include "sql/parameters.hpp"

namespace ota::sql {
namespace {

constexpr Statement kLock = {"lock_identity", "SELECT pg_advisory_xact_lock(1868849517, hashtext($1))"};
// A statement of its own: it sees what the previous holder of the lock committed.
constexpr Statement kIsRevoked = {"identity_is_revoked",
                                  "SELECT FROM devices WHERE device_id = $1 AND revoked_at IS NOT NULL"};
constexpr Statement kCountLive = {"count_live_certificates", R"sql(
  SELECT count(*) FROM device_certificates
  WHERE device_id = $1 AND revoked_at IS NULL AND coalesce(not_after, 'infinity') > now())sql"};
constexpr Statement kInsert = {"insert_certificate", R"sql(
  INSERT INTO device_certificates (device_id, serial, fingerprint, not_before, not_after, certificate, issued_at,
                                   issued_by)
  VALUES ($1, $2, $3, )sql" OTA_SQL_TIME("$4::bigint") ", " OTA_SQL_TIME("$5::bigint") ", $6, now(), $7)"};
constexpr Statement kRevoke = {"revoke_certificates", R"sql(
  UPDATE device_certificates SET revoked_at = now(), revoked_by = $2, revoked_reason = $3
  WHERE device_id = $1 AND revoked_at IS NULL)sql"};
constexpr Statement kRevokeTokens = {"revoke_tokens_of_device", R"sql(
  UPDATE enrolment_tokens SET revoked_at = now() WHERE device_id = $1 AND used_at IS NULL AND revoked_at IS NULL)sql"};
// Where nobody keeps a broker's list there is nobody to carry orders out, so old ones go.
constexpr Statement kOrderCut = {"order_cut", R"sql(
  WITH old AS (DELETE FROM device_cuts WHERE ordered_at < now() - interval '7 days')
  INSERT INTO device_cuts (device_id) VALUES ($1))sql"};
constexpr Statement kRemoveToken = {"remove_token_of_device",
                                    "DELETE FROM device_tokens WHERE device_id = $1"};
constexpr Statement kEvent = {"identity_event", R"sql(
  INSERT INTO ota_events (event_type, device_id, event_data, created_by) VALUES ($1, $2, $3::jsonb, $4))sql"};

}  // namespace

bool lock_identity(Session& session, pqxx::work& work, const std::string& device_id) {
  session.execute(work, kLock, without_nul(device_id));
  return !session.execute(work, kIsRevoked, device_id).empty();
}

int live_certificates(Session& session, pqxx::work& work, const std::string& device_id) {
  return static_cast<int>(number_of(session.execute(work, kCountLive, device_id)[0][0]));
}

void refuse_too_many(Session& session, pqxx::work& work, const std::string& device_id) {
  if (live_certificates(session, work, device_id) < fleet::kLiveCertificatesMax) return;
  throw Refusal(fleet::ErrorKind::conflict, "device " + device_id + " has " +
                                                std::to_string(fleet::kLiveCertificatesMax) +
                                                " valid certificates already; replace it to revoke them");
}

void insert_certificate(Session& session, pqxx::work& work, const std::string& device_id,
                        const fleet::IssuedCertificate& certificate, const std::string& by) {
  const std::int64_t from = certificate.not_before.time_since_epoch().count();
  const std::int64_t until = certificate.not_after.time_since_epoch().count();
  session.execute(work, kInsert, device_id, certificate.serial, certificate.fingerprint, from, until,
                  certificate.pem, text_or_null(by));
}

int revoke_certificates(Session& session, pqxx::work& work, const std::string& device_id,
                        const std::string& by, const std::string& why) {
  session.execute(work, kRevokeTokens, device_id);
  session.execute(work, kOrderCut, device_id);
  session.execute(work, kRemoveToken, device_id);
  const auto revoked = session.execute(work, kRevoke, device_id, text_or_null(by), text_or_null(why));
  return static_cast<int>(revoked.affected_rows());
}

void log_identity(Session& session, pqxx::work& work, const char* event_type, const std::string& device_id,
                  const std::string& data_json, const std::string& by) {
  session.execute(work, kEvent, event_type, text_or_null(device_id), data_json, text_or_null(by));
}

std::string identity_json(const std::string& serial, const std::string& why) {
  fleet::JsonValue::Object data;
  if (!serial.empty()) data.emplace("serial", fleet::JsonValue{serial});
  if (!why.empty()) data.emplace("why", fleet::JsonValue{why});
  return fleet::to_json({std::move(data)});
}

}  // namespace ota::sql
