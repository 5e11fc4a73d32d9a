#include <chrono>

#include "fleet/ids.hpp"
#include "fleet/iso_time.hpp"
#include "http/api.hpp"
#include "http/certificate_body.hpp"
#include "http/certificate_replies.hpp"
#include "http/client_address.hpp"
#include "http/params.hpp"
#include "http/replies.hpp"

namespace ota::http {
namespace {

using Clock = std::chrono::steady_clock;

std::string hex_of(const std::array<std::uint8_t, 32>& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const auto byte : digest) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 0xf];
  }
  return hex;
}

// A token in the clear could be read on its way and used first. A trusted proxy says how the client came to
// it.
bool is_private(const Request& request, const std::vector<fleet::IpNetwork>& proxies) {
  if (request.encrypted) return true;
  if (is_trusted_proxy(request.peer, proxies)) return request.header("X-Forwarded-Proto") == "https";
  return request.peer == "::1" || request.peer.rfind("127.", 0) == 0 ||
         request.peer.rfind("::ffff:127.", 0) == 0;
}

}  // namespace

// The database judges before anything is signed, and once more when the token is used up.
Response Api::enrol(Request& request) {
  if (!is_private(request, options_.trusted_proxies)) {
    return error_reply(
        403,
        "enrol over HTTPS: a token must not travel in the clear (a proxy of TRUSTED_PROXIES says so by "
        "X-Forwarded-Proto: https)");
  }
  const auto body = read_enrol_body(request.body);
  if (!body) return error_reply(body.error());
  const auto issuer = authority();
  if (!issuer) return error_reply(issuer.error());
  const fleet::EnrolmentRequest wanted{body->device_id, body->model, hex_of(ports_.sha256(body->token)),
                                       hex_of(ports_.sha256(body->csr))};
  if (const auto wait = wrong_tokens_.wait_of(request.client, Clock::now()); wait.count() > 0) {
    const auto seconds = std::to_string(wait.count());
    return error_reply(429, "too many wrong tokens came from your address; try again in " + seconds + " s",
                       seconds);
  }
  auto& enrolments = *ports_.identity.enrolments;
  const auto given = enrolments.admit(wanted);
  // A token that was used or is for another device is no guess: a factory behind one address may hold many.
  if (!given && given.error().kind == fleet::ErrorKind::unauthorized)
    wrong_tokens_.note(request.client, Clock::now());
  if (!given) return error_reply(given.error());
  if (*given) return ok_reply(enrolled_json(**given, (*issuer)->trust_anchor()));
  const auto certificate = (*issuer)->issue(body->device_id, body->csr, ports_.now());
  if (!certificate) return error_reply(certificate.error());
  const auto enrolled = enrolments.enrol(wanted, *certificate);
  if (!enrolled) return error_reply(enrolled.error());
  return ok_reply(enrolled_json(*enrolled, (*issuer)->trust_anchor()));
}

Response Api::renew(Request& request) {
  const auto id = fleet::parse_id("the certificate's name", request.client_name);
  if (!id) return error_reply(401, "renew over HTTPS with the device's present certificate");
  const auto csr = read_renew_body(request.body);
  if (!csr) return error_reply(csr.error());
  const auto issuer = authority();
  if (!issuer) return error_reply(issuer.error());
  const auto certificate = (*issuer)->issue(*id, *csr, ports_.now());
  if (!certificate) return error_reply(certificate.error());
  const auto presented = fleet::parse_serial("the certificate's serial", request.client_serial);
  if (!presented) return error_reply(presented.error());
  const auto recorded = ports_.identity.certificates->record(
      {*id, *certificate, fleet::Issuance::renew, *presented, "device", ""});
  if (!recorded) return error_reply(recorded.error());
  return ok_reply(enrolled_json({certificate->pem, certificate->not_after}, (*issuer)->trust_anchor()));
}

Response Api::create_enrolment_token(Request& request) {
  auto token = read_token_body(request.body);
  if (!token) return error_reply(token.error());
  const auto text = ports_.identity.make_token();
  token->token_sha256 = hex_of(ports_.sha256(text));
  token->by = request.actor;
  const auto id = ports_.identity.enrolments->create_token(*token);
  if (!id) return error_reply(id.error());
  const auto expires_at = fleet::to_iso(ports_.now() + std::chrono::minutes(token->valid_minutes));
  auto reply = ok_reply(token_created_json(*id, text, *token, expires_at));
  reply.status = 201;
  reply.headers.emplace_back("Cache-Control", "no-store");
  return reply;
}

Response Api::list_enrolment_tokens(Request& request) {
  const auto limit = limit_param(*request.params, 50, 500);
  if (!limit) return error_reply(limit.error());
  const auto rows = ports_.identity.enrolments->list_tokens(*limit);
  return rows ? ok_reply(tokens_json(*rows)) : error_reply(rows.error());
}

Response Api::revoke_enrolment_token(Request& request) {
  const auto id = parse_whole(request.captured, 1, std::numeric_limits<std::int64_t>::max());
  if (!id) return error_reply(422, "the token's id must be a whole number from 1");
  const auto revoked = ports_.identity.enrolments->revoke_token(*id, request.actor);
  return revoked ? ok_reply(status_json("Enrolment token revoked")) : error_reply(revoked.error());
}

}  // namespace ota::http
