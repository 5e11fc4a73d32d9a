#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fleet/expected.hpp"
#include "fleet/ports/enrolment_store.hpp"

namespace ota::http {

/// The bodies of the routes for devices' identities, tested field by field; every error is `invalid` and
/// names the field, or `malformed` where the text is no JSON. Members that nobody knows are refused in those
/// of admins and passed over in those of devices (enrol, renew).
struct CsrBody {
  std::string csr;
  std::string why;
};
[[nodiscard]] fleet::Expected<CsrBody> read_csr_body(std::string_view text);

/// Answers the certificate request.
[[nodiscard]] fleet::Expected<std::string> read_renew_body(std::string_view text);

struct RevokeBody {
  std::string why;
  std::vector<std::string> serials;  ///< as fleet::parse_serial answers
};
/// An empty text names nothing.
[[nodiscard]] fleet::Expected<RevokeBody> read_revoke_body(std::string_view text);

/// Certificates in PEM form, one after the other.
[[nodiscard]] fleet::Expected<std::string> read_certificates_body(std::string_view text);

struct EnrolBody {
  std::string device_id;
  std::string model;  ///< empty: not said
  std::string token;
  std::string csr;
};
[[nodiscard]] fleet::Expected<EnrolBody> read_enrol_body(std::string_view text);

/// Without its token_sha256 and `by`.
[[nodiscard]] fleet::Expected<fleet::NewEnrolmentToken> read_token_body(std::string_view text);

}  // namespace ota::http
