#include "sql/certificate_store.hpp"

#include <set>
#include <string_view>

#include "sql/certificate_rows.hpp"
#include "sql/device_rows.hpp"
#include "sql/parameters.hpp"
#include "sql/pooled.hpp"

namespace ota::sql {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

constexpr Statement kPresented = {
    "presented_certificate",
    "SELECT device_id, revoked_at IS NOT NULL FROM device_certificates WHERE serial = $1"};

constexpr Statement kList = {
    "list_certificates",
    "SELECT serial, fingerprint, " OTA_SQL_ISO("not_before") ", " OTA_SQL_ISO("not_after") ", "
    OTA_SQL_ISO("issued_at") ", issued_by, " OTA_SQL_ISO("revoked_at") ", revoked_reason "
    "FROM device_certificates WHERE device_id = $1 ORDER BY id DESC LIMIT 100"};

constexpr Statement kForeignSerial = {"foreign_serial", R"sql(
  SELECT serial FROM device_certificates WHERE serial = ANY($1::text[]) AND device_id <> $2 LIMIT 1)sql"};
// Certificates that were made elsewhere become known by being revoked; an entry taken over from a list learns
// whose it is.
constexpr Statement kRevokeSerials = {"revoke_serials", R"sql(
  INSERT INTO device_certificates AS c (serial, device_id, revoked_at, revoked_by, revoked_reason)
  SELECT s, $2, now(), $3, $4 FROM unnest($1::text[]) AS s
  ON CONFLICT (serial) DO UPDATE SET device_id = excluded.device_id, cut_at = NULL WHERE c.device_id IS NULL)sql"};
constexpr Statement kBlock = {"block_device", R"sql(
  INSERT INTO devices AS d (device_id, device_model, last_seen, revoked_at) VALUES ($1, 'unknown', NULL, now())
  ON CONFLICT (device_id) DO UPDATE SET revoked_at = now(), online = false WHERE d.revoked_at IS NULL)sql"};
constexpr Statement kUnblock = {"unblock_device",
                                "UPDATE devices SET revoked_at = NULL WHERE device_id = $1"};
constexpr Statement kIsRevoked = {"is_revoked", R"sql(
  SELECT FROM devices WHERE device_id = $1 AND revoked_at IS NOT NULL
  UNION ALL SELECT FROM device_certificates WHERE serial = $2 AND revoked_at IS NOT NULL)sql"};
constexpr Statement kIsKnown = {"device_is_known", "SELECT FROM devices WHERE device_id = $1"};
constexpr Statement kAdoptCertificates = {
    "adopt_certificates",
    R"sql(
  WITH adopted AS (
    INSERT INTO device_certificates AS c (device_id, serial, fingerprint, not_before, not_after, certificate,
                                          issued_by, revoked_at, revoked_by, revoked_reason)
    SELECT n.device_id, n.serial, n.fingerprint, )sql" OTA_SQL_TIME("n.not_before") ", " OTA_SQL_TIME(
        "n.not_after") R"sql(, n.certificate, $7, d.revoked_at, CASE WHEN d.revoked_at IS NOT NULL THEN $7 END,
           CASE WHEN d.revoked_at IS NOT NULL THEN 'its device is revoked' END
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[])
         AS n (device_id, serial, fingerprint, not_before, not_after, certificate)
    LEFT JOIN devices d ON d.device_id = n.device_id
    ON CONFLICT (serial) DO UPDATE SET device_id = excluded.device_id, cut_at = NULL WHERE c.device_id IS NULL
    RETURNING device_id, serial)
  INSERT INTO ota_events (event_type, device_id, event_data, created_by)
  SELECT 'certificate_adopted', device_id, jsonb_build_object('serial', serial), $7 FROM adopted)sql"};
constexpr Statement kOtherHardware = {"other_hardware", R"sql(
  UPDATE devices SET revoked_at = NULL, mac_address = NULL, boot_id = NULL WHERE device_id = $1)sql"};

void refuse_presented(Session& session, pqxx::work& work, const fleet::NewCertificate& issued) {
  const auto rows = session.execute(work, kPresented, without_nul(issued.presented));
  if (rows.empty()) return;  // made by the authority's script; the connection has verified it
  if (text_of(rows[0][0]) != issued.device_id || flag_of(rows[0][1])) {
    throw Refusal(ErrorKind::forbidden, "the certificate of this connection was revoked");
  }
}

const char* event_of(fleet::Issuance issuance) {
  switch (issuance) {
    case fleet::Issuance::renew:
      return "certificate_renewed";
    case fleet::Issuance::replace:
      return "device_replaced";
    case fleet::Issuance::add:
      break;
  }
  return "certificate_issued";
}

}  // namespace

Expected<void> PgCertificateStore::record(const fleet::NewCertificate& issued) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const auto& id = issued.device_id;
    const bool revoked = lock_identity(session, work, id);
    if (issued.issuance == fleet::Issuance::replace) {
      revoke_certificates(session, work, id, issued.by, issued.why.empty() ? "replaced" : issued.why);
      session.execute(work, kOtherHardware, id);
    } else if (revoked) {
      throw Refusal(ErrorKind::forbidden, "device " + id + " is revoked; reinstate or replace it first");
    }
    if (issued.issuance == fleet::Issuance::renew) refuse_presented(session, work, issued);
    refuse_too_many(session, work, id);
    insert_certificate(session, work, id, issued.certificate, issued.by);
    log_identity(session, work, event_of(issued.issuance), id,
                 identity_json(issued.certificate.serial, issued.why), issued.by);
  });
}

Expected<std::vector<fleet::CertificateRow>> PgCertificateStore::list(const std::string& device_id) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    std::vector<fleet::CertificateRow> rows;
    for (const auto& row : session.execute(work, kList, without_nul(device_id))) {
      rows.push_back({text_of(row[0]), text_of(row[1]), text_of(row[2]), text_of(row[3]), text_of(row[4]),
                      text_of(row[5]), text_of(row[6]), text_of(row[7])});
    }
    return rows;
  });
}

Expected<fleet::Revoked> PgCertificateStore::revoke(const fleet::Revocation& revocation) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const auto& id = revocation.device_id;
    (void)lock_identity(session, work, id);
    ArrayLiteral serials;
    for (const auto& serial : revocation.serials) serials.add(serial);
    const auto foreign = session.execute(work, kForeignSerial, serials.str(), id);
    if (!foreign.empty()) {
      throw Refusal(ErrorKind::conflict,
                    "certificate " + text_of(foreign[0][0]) + " is another device's; revoke that device");
    }
    fleet::Revoked revoked;
    revoked.known = !session.execute(work, kIsKnown, id).empty();
    auto& count = revoked.certificates;
    count = revoke_certificates(session, work, id, revocation.by, revocation.why);
    count += static_cast<int>(session
                                  .execute(work, kRevokeSerials, serials.str(), id,
                                           text_or_null(revocation.by), text_or_null(revocation.why))
                                  .affected_rows());
    const auto blocked = session.execute(work, kBlock, id).affected_rows();
    if (count > 0 || blocked > 0) {
      log_identity(session, work, "device_revoked", id, identity_json("", revocation.why), revocation.by);
    }
    return revoked;
  });
}

Expected<void> PgCertificateStore::reinstate(const std::string& device_id, const std::string& by,
                                             const std::string& why) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const bool revoked = lock_identity(session, work, device_id);
    if (session.execute(work, kUnblock, device_id).affected_rows() == 0) {
      throw Refusal(ErrorKind::not_found, "no device with id " + device_id);
    }
    if (revoked) log_identity(session, work, "device_reinstated", device_id, identity_json("", why), by);
  });
}

Expected<bool> PgCertificateStore::is_revoked(const std::string& device_id, const std::string& serial) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    return !session.execute(work, kIsRevoked, without_nul(device_id), without_nul(serial)).empty();
  });
}

Expected<int> PgCertificateStore::adopt(const std::vector<fleet::NamedCertificate>& certificates,
                                        const std::string& by) {
  ArrayLiteral ids, serials, fingerprints, from, until, pems;
  std::set<std::string_view> seen;  // one twice in a statement would be an error
  for (const auto& [device_id, certificate] : certificates) {
    if (!seen.insert(certificate.serial).second) continue;
    ids.add(device_id);
    serials.add(certificate.serial);
    fingerprints.add(certificate.fingerprint);
    from.add(certificate.not_before);
    until.add(certificate.not_after);
    pems.add(certificate.pem);
  }
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    return static_cast<int>(session
                                .execute(work, kAdoptCertificates, ids.str(), serials.str(),
                                         fingerprints.str(), from.str(), until.str(), pems.str(), by)
                                .affected_rows());
  });
}

}  // namespace ota::sql
