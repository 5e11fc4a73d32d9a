#include "fleet/ids.hpp"
#include "http/api.hpp"
#include "http/certificate_body.hpp"
#include "http/certificate_replies.hpp"
#include "http/replies.hpp"
#include "http/rollout_body.hpp"

namespace ota::http {
namespace {

fleet::Expected<std::string> device_id(const Request& request) {
  return fleet::parse_id("device_id", request.captured);
}

}  // namespace

fleet::Expected<const fleet::DeviceAuthority*> Api::authority() const {
  if (ports_.identity.authority != nullptr) return ports_.identity.authority;
  return fleet::fail(fleet::ErrorKind::unavailable,
                     "this bridge issues no certificates: DEVICE_CA_CERT and DEVICE_CA_KEY are not set");
}

Response Api::issue_to(Request& request, fleet::Issuance issuance) {
  const auto id = device_id(request);
  if (!id) return error_reply(id.error());
  const auto body = read_csr_body(request.body);
  if (!body) return error_reply(body.error());
  const auto issuer = authority();
  if (!issuer) return error_reply(issuer.error());
  const auto certificate = (*issuer)->issue(*id, body->csr, ports_.now());
  if (!certificate) return error_reply(certificate.error());
  const auto recorded =
      ports_.identity.certificates->record({*id, *certificate, issuance, "", request.actor, body->why});
  if (!recorded) return error_reply(recorded.error());
  if (issuance == fleet::Issuance::replace && ports_.identity.revoked) ports_.identity.revoked();
  return ok_reply(issued_json(*id, *certificate, (*issuer)->trust_anchor()));
}

Response Api::issue_certificate(Request& request) {
  return issue_to(request, fleet::Issuance::add);
}

Response Api::replace_device(Request& request) {
  return issue_to(request, fleet::Issuance::replace);
}

Response Api::list_certificates(Request& request) {
  const auto id = device_id(request);
  if (!id) return error_reply(id.error());
  const auto rows = ports_.identity.certificates->list(*id);
  return rows ? ok_reply(certificates_json(*rows)) : error_reply(rows.error());
}

// For certificates that were made while no bridge ran, or before there was one.
Response Api::adopt_certificates(Request& request) {
  const auto pems = read_certificates_body(request.body);
  if (!pems) return error_reply(pems.error());
  const auto issuer = authority();
  if (!issuer) return error_reply(issuer.error());
  const auto recognised = (*issuer)->recognise(*pems);
  if (!recognised) return error_reply(recognised.error());
  const auto adopted = ports_.identity.certificates->adopt(recognised->ours, request.actor);
  if (!adopted) return error_reply(adopted.error());
  if (*adopted > 0 && ports_.identity.revoked) ports_.identity.revoked();
  return ok_reply(adopted_json(*adopted, *recognised));
}

// Committed, the device is deaf and dumb to this service; its offer is withdrawn by deciding anew, and the
// broker follows by the list.
Response Api::revoke_device(Request& request) {
  auto id = device_id(request);
  if (!id) return error_reply(id.error());
  const auto body = read_revoke_body(request.body);
  if (!body) return error_reply(body.error());
  const auto revoked = ports_.identity.certificates->revoke({*id, body->serials, request.actor, body->why});
  if (!revoked) return error_reply(revoked.error());
  if (ports_.identity.revoked) ports_.identity.revoked();
  return submit(request, {std::move(*id), fleet::Channel::internal, ports_.now(), fleet::Settle{}},
                [revoked = *revoked](const fleet::Answer&) { return ok_reply(revoked_json(revoked)); });
}

Response Api::reinstate_device(Request& request) {
  auto id = device_id(request);
  if (!id) return error_reply(id.error());
  const auto body = read_order(request.body);
  if (!body) return error_reply(body.error());
  const auto done = ports_.identity.certificates->reinstate(*id, request.actor, body->why);
  if (!done) return error_reply(done.error());
  return submit(request, {std::move(*id), fleet::Channel::internal, ports_.now(), fleet::Settle{}},
                [](const fleet::Answer&) {
                  return ok_reply(status_json(
                      "Device reinstated; its old certificates stay revoked, so issue a new one"));
                });
}

}  // namespace ota::http
