#include "http/certificate_replies.hpp"

#include <nlohmann/json.hpp>

#include "fleet/iso_time.hpp"

namespace ota::http {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json nullable(std::string_view text) {
  return text.empty() ? Json(nullptr) : Json(std::string(text));
}

}  // namespace

std::string enrolled_json(const fleet::Enrolled& enrolled, std::string_view trust_anchor) {
  return dump({{"certificate", enrolled.certificate},
               {"ca", std::string(trust_anchor)},
               {"not_after", fleet::to_iso(enrolled.not_after)}});
}

std::string issued_json(std::string_view device_id, const fleet::IssuedCertificate& certificate,
                        std::string_view trust_anchor) {
  return dump({{"status", "ok"},
               {"message", "Certificate issued successfully"},
               {"device_id", std::string(device_id)},
               {"serial", certificate.serial},
               {"certificate", certificate.pem},
               {"ca", std::string(trust_anchor)},
               {"not_after", fleet::to_iso(certificate.not_after)}});
}

std::string certificates_json(const std::vector<fleet::CertificateRow>& rows) {
  Json list = Json::array();
  for (const auto& row : rows) {
    list.push_back({{"serial", row.serial},
                    {"fingerprint_sha256", nullable(row.fingerprint)},
                    {"not_before", nullable(row.not_before)},
                    {"not_after", nullable(row.not_after)},
                    {"issued_at", nullable(row.issued_at)},
                    {"issued_by", nullable(row.issued_by)},
                    {"revoked_at", nullable(row.revoked_at)},
                    {"revoked_reason", nullable(row.revoked_reason)}});
  }
  return dump({{"certificates", std::move(list)}});
}

std::string revoked_json(const fleet::Revoked& revoked) {
  return dump({{"status", "ok"},
               {"message", revoked.known ? "Device revoked: nothing of it counts any more"
                                         : "No device with that id was ever seen; it is barred from now on"},
               {"known", revoked.known},
               {"certificates_revoked", revoked.certificates}});
}

std::string adopted_json(int adopted, const fleet::DeviceAuthority::Recognised& recognised) {
  return dump({{"status", "ok"},
               {"message", std::to_string(adopted) + " certificates adopted"},
               {"adopted", adopted},
               {"of_this_authority", recognised.ours.size()},
               {"foreign", recognised.foreign}});
}

std::string token_created_json(std::int64_t id, std::string_view token, const fleet::NewEnrolmentToken& made,
                               std::string_view expires_at) {
  return dump({{"status", "ok"},
               {"message", "Enrolment token created: this is the only time it is shown"},
               {"id", id},
               {"token", std::string(token)},
               {"device_id", nullable(made.device_id)},
               {"device_model", nullable(made.model)},
               {"expires_at", std::string(expires_at)}});
}

std::string tokens_json(const std::vector<fleet::EnrolmentTokenRow>& rows) {
  Json list = Json::array();
  for (const auto& row : rows) {
    list.push_back({{"id", row.id},
                    {"device_id", nullable(row.device_id)},
                    {"device_model", nullable(row.model)},
                    {"created_at", nullable(row.created_at)},
                    {"created_by", nullable(row.created_by)},
                    {"expires_at", nullable(row.expires_at)},
                    {"revoked_at", nullable(row.revoked_at)},
                    {"used_at", nullable(row.used_at)},
                    {"used_by", nullable(row.used_by)}});
  }
  return dump({{"tokens", std::move(list)}});
}

}  // namespace ota::http
