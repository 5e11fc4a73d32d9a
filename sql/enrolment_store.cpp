#include "sql/certificate_rows.hpp"
#include "sql/certificate_store.hpp"
#include "sql/device_rows.hpp"
#include "sql/parameters.hpp"
#include "sql/pooled.hpp"

namespace ota::sql {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

constexpr Statement kCreate = {"create_enrolment_token", R"sql(
  INSERT INTO enrolment_tokens (token_sha256, device_id, device_model, expires_at, created_by)
  VALUES ($1, $2, $3, now() + $4::integer * interval '1 minute', $5) RETURNING id)sql"};

constexpr Statement kList = {
    "list_enrolment_tokens",
    "SELECT id, device_id, device_model, " OTA_SQL_ISO("created_at") ", created_by, "
    OTA_SQL_ISO("expires_at") ", " OTA_SQL_ISO("revoked_at") ", " OTA_SQL_ISO("used_at") ", used_by "
    "FROM enrolment_tokens ORDER BY id DESC LIMIT $1::integer"};

constexpr Statement kRevokeToken = {"revoke_enrolment_token", R"sql(
  UPDATE enrolment_tokens SET revoked_at = coalesce(revoked_at, now())
  WHERE id = $1::bigint AND used_at IS NULL RETURNING device_id)sql"};
constexpr Statement kTokenExists = {"enrolment_token_exists",
                                    "SELECT FROM enrolment_tokens WHERE id = $1::bigint"};

// A retry after a lost answer is answered as before for this long.
constexpr Statement kFindToken = {"find_enrolment_token", R"sql(
  SELECT t.id, t.device_id, t.device_model, t.expires_at <= now(), t.revoked_at IS NOT NULL, t.used_at IS NOT NULL,
         t.used_by, t.csr_sha256, t.used_at > now() - interval '10 minutes', t.created_by
  FROM enrolment_tokens t WHERE t.token_sha256 = $1 FOR UPDATE)sql"};
constexpr Statement kGiven = {"given_certificate",
                              "SELECT c.certificate, " OTA_SQL_MICROSECONDS(
                                  "c.not_after") " FROM enrolment_tokens t JOIN device_certificates c ON "
                                                 "c.serial = t.serial WHERE t.id = $1::bigint AND c.revoked_at IS NULL"};
constexpr Statement kDevice = {"device_to_enrol",
                               "SELECT device_model, seen_on_mqtt OR last_seen IS NOT NULL FROM devices "
                               "WHERE device_id = $1"};
constexpr Statement kHasToken = {"device_has_token", "SELECT FROM device_tokens WHERE device_id = $1"};
constexpr Statement kUse = {"use_enrolment_token", R"sql(
  UPDATE enrolment_tokens SET used_at = now(), used_by = $2, csr_sha256 = $3, serial = $4 WHERE id = $1::bigint)sql"};
// A stranger with an old token must not fill the log.
constexpr Statement kNoteRefusal = {"note_enrolment_refusal", R"sql(
  UPDATE enrolment_tokens SET refused_at = now()
  WHERE id = $1::bigint AND coalesce(refused_at, '-infinity') < now() - interval '1 minute')sql"};

struct Token {
  std::int64_t id = 0;
  std::string device_id;
  std::string model;
  bool expired = false;
  bool revoked = false;
  bool used = false;
  std::string used_by;
  std::string csr_sha256;
  bool used_just_now = false;
  std::string created_by;
};

struct Verdict {
  std::string refusal;  // empty: none
  std::optional<fleet::Enrolled> given;
  Token token;  // its id is 0 where there is no such token
};

std::optional<fleet::Enrolled> given_for(Session& session, pqxx::work& work, const Token& token,
                                         const fleet::EnrolmentRequest& request) {
  const bool is_retry =
      token.used_just_now && token.used_by == request.device_id && token.csr_sha256 == request.csr_sha256;
  if (!is_retry) return std::nullopt;
  const auto rows = session.execute(work, kGiven, token.id);
  if (rows.empty()) return std::nullopt;
  return fleet::Enrolled{text_of(rows[0][0]), time_from(number_of(rows[0][1]))};
}

// Why the device may not be enrolled by this unused token; empty: it may.
std::string find_refusal(Session& session, pqxx::work& work, const Token& token,
                         const fleet::EnrolmentRequest& request) {
  const auto& id = request.device_id;
  if (token.revoked) return "the token was revoked";
  if (token.expired) return "the token has expired";
  if (!token.device_id.empty() && token.device_id != id) return "the token is for another device";
  const bool revoked = lock_identity(session, work, id);
  if (revoked) return "device " + id + " is revoked; an admin reinstates or replaces it first";
  const auto device = session.execute(work, kDevice, id);
  if (!token.model.empty()) {
    const auto known = device.empty() ? std::string("unknown") : text_of(device[0][0]);
    const bool fits = request.model == token.model && (known == "unknown" || known == token.model);
    if (!fits) return "the token is for devices of model " + token.model + "; say device_model";
  }
  // Else whoever has a token for any device could take the place of one that is there.
  const bool is_there = live_certificates(session, work, id) > 0 ||
                        (!device.empty() && flag_of(device[0][1])) ||
                        !session.execute(work, kHasToken, id).empty();
  if (token.device_id.empty() && is_there) {
    return "device " + id + " has its identity already; only a token for it alone gives it another";
  }
  if (live_certificates(session, work, id) >= fleet::kLiveCertificatesMax) {
    return "device " + id + " has too many valid certificates already";
  }
  return "";
}

Verdict judge(Session& session, pqxx::work& work, const fleet::EnrolmentRequest& request) {
  const auto rows = session.execute(work, kFindToken, request.token_sha256);
  if (rows.empty()) return {"", {}, {}};
  const auto& row = rows[0];
  Verdict verdict;
  auto& token = verdict.token;
  token = {number_of(row[0]), text_of(row[1]), text_of(row[2]), flag_of(row[3]), flag_of(row[4]),
           flag_of(row[5]),   text_of(row[6]), text_of(row[7]), flag_of(row[8]), text_of(row[9])};
  if (!token.used) {
    verdict.refusal = find_refusal(session, work, token, request);
  } else if (verdict.given = given_for(session, work, token, request); !verdict.given) {
    verdict.refusal = "the token was used already";
  }
  if (!verdict.refusal.empty() && session.execute(work, kNoteRefusal, token.id).affected_rows() > 0) {
    log_identity(session, work, "enrolment_refused", request.device_id,
                 identity_json("", verdict.refusal + " (token " + std::to_string(token.id) + ")"), "device");
  }
  return verdict;
}

std::optional<fleet::Error> refusal_of(const Verdict& verdict) {
  if (verdict.token.id == 0) return fleet::Error{ErrorKind::unauthorized, "the token is not valid"};
  if (verdict.refusal.empty()) return std::nullopt;
  return fleet::Error{ErrorKind::forbidden, verdict.refusal};
}

}  // namespace

Expected<std::int64_t> PgEnrolmentStore::create_token(const fleet::NewEnrolmentToken& token) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const auto made = session.execute(work, kCreate, token.token_sha256, text_or_null(token.device_id),
                                      text_or_null(token.model), token.valid_minutes, text_or_null(token.by));
    const auto id = number_of(made[0][0]);
    log_identity(session, work, "enrolment_token_created", token.device_id,
                 identity_json("", "token " + std::to_string(id)), token.by);
    return id;
  });
}

Expected<std::vector<fleet::EnrolmentTokenRow>> PgEnrolmentStore::list_tokens(int count_max) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    std::vector<fleet::EnrolmentTokenRow> rows;
    for (const auto& row : session.execute(work, kList, count_max)) {
      rows.push_back({number_of(row[0]), text_of(row[1]), text_of(row[2]), text_of(row[3]), text_of(row[4]),
                      text_of(row[5]), text_of(row[6]), text_of(row[7]), text_of(row[8])});
    }
    return rows;
  });
}

Expected<void> PgEnrolmentStore::revoke_token(std::int64_t id, const std::string& by) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const auto revoked = session.execute(work, kRevokeToken, id);
    if (revoked.empty()) {
      if (session.execute(work, kTokenExists, id).empty())
        throw Refusal(ErrorKind::not_found, "no enrolment token with id " + std::to_string(id));
      throw Refusal(ErrorKind::conflict, "the token was used already; revoke the device instead");
    }
    log_identity(session, work, "enrolment_token_revoked", text_of(revoked[0][0]),
                 identity_json("", "token " + std::to_string(id)), by);
  });
}

Expected<std::optional<fleet::Enrolled>> PgEnrolmentStore::admit(const fleet::EnrolmentRequest& request) {
  const auto verdict = in_transaction(
      pool_, [&](Session& session, pqxx::work& work) { return judge(session, work, request); });
  if (!verdict) return tl::unexpected(verdict.error());
  if (const auto refused = refusal_of(*verdict)) return tl::unexpected(*refused);
  return verdict->given;
}

Expected<fleet::Enrolled> PgEnrolmentStore::enrol(const fleet::EnrolmentRequest& request,
                                                  const fleet::IssuedCertificate& certificate) {
  const auto verdict = in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    auto judged = judge(session, work, request);
    if (refusal_of(judged) || judged.given) return judged;
    insert_certificate(session, work, request.device_id, certificate, judged.token.created_by);
    session.execute(work, kUse, judged.token.id, request.device_id, request.csr_sha256, certificate.serial);
    log_identity(session, work, "device_enrolled", request.device_id, identity_json(certificate.serial, ""),
                 "device");
    judged.given = fleet::Enrolled{certificate.pem, certificate.not_after};
    return judged;
  });
  if (!verdict) return tl::unexpected(verdict.error());
  if (const auto refused = refusal_of(*verdict)) return tl::unexpected(*refused);
  return *verdict->given;
}

}  // namespace ota::sql
