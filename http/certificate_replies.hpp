#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fleet/ports/certificate_store.hpp"
#include "fleet/ports/device_authority.hpp"
#include "fleet/ports/enrolment_store.hpp"

namespace ota::http {

/// What the routes of devices' identities answer, as JSON texts.
[[nodiscard]] std::string enrolled_json(const fleet::Enrolled& enrolled, std::string_view trust_anchor);
[[nodiscard]] std::string issued_json(std::string_view device_id, const fleet::IssuedCertificate& certificate,
                                      std::string_view trust_anchor);
[[nodiscard]] std::string certificates_json(const std::vector<fleet::CertificateRow>& rows);
[[nodiscard]] std::string revoked_json(const fleet::Revoked& revoked);
[[nodiscard]] std::string adopted_json(int adopted, const fleet::DeviceAuthority::Recognised& recognised);
/// The one time that a token is told.
[[nodiscard]] std::string token_created_json(std::int64_t id, std::string_view token,
                                             const fleet::NewEnrolmentToken& made,
                                             std::string_view expires_at);
[[nodiscard]] std::string tokens_json(const std::vector<fleet::EnrolmentTokenRow>& rows);

}  // namespace ota::http
