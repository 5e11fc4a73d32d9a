#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fleet/certificates.hpp"

namespace ota::fleet {

struct NewEnrolmentToken {
  std::string token_sha256;  ///< lower-case hex; the token itself is not stored
  std::string device_id;     ///< empty: for any new device
  std::string model;         ///< empty: for any model
  int valid_minutes = 0;
  std::string by;
};

/// A token as admins see it. Times are ISO 8601 with offset; empty: not so.
struct EnrolmentTokenRow {
  std::int64_t id = 0;
  std::string device_id;
  std::string model;
  std::string created_at;
  std::string created_by;
  std::string expires_at;
  std::string revoked_at;
  std::string used_at;
  std::string used_by;
};

/// A device that asks for its first certificate.
struct EnrolmentRequest {
  std::string device_id;
  std::string model;  ///< empty: not said
  std::string token_sha256;
  std::string csr_sha256;
};

/// What a device was issued; a retry gets the same again.
struct Enrolled {
  std::string certificate;  ///< PEM
  Time not_after{};
};

/// One-time tokens and what they are used for. Thread safe; `unavailable` when the database is away or no
/// connection came free in time.
class EnrolmentStore {
 public:
  virtual ~EnrolmentStore() = default;
  /// The token's id, with an enrolment_token_created event.
  [[nodiscard]] virtual Expected<std::int64_t> create_token(const NewEnrolmentToken& token) = 0;
  /// Newest first, at most 500.
  [[nodiscard]] virtual Expected<std::vector<EnrolmentTokenRow>> list_tokens(int count_max) = 0;
  /// `not_found`; `conflict` when it was used. Repeating it changes nothing.
  [[nodiscard]] virtual Expected<void> revoke_token(std::int64_t id, const std::string& by) = 0;

  /// Whether the request may have a certificate. What it was given already when the same request came within
  /// the last ten minutes (its answer was lost); nullopt: go on. `unauthorized` when there is no such token,
  /// `forbidden` otherwise; when the token is one of ours, with an enrolment_refused event, at most one a
  /// minute and token.
  [[nodiscard]] virtual Expected<std::optional<Enrolled>> admit(const EnrolmentRequest& request) = 0;
  /// Asks the same again, then uses the token up and records the certificate in one transaction, with a
  /// device_enrolled event. Of two that ask at once one is answered what the other was given, or `forbidden`.
  [[nodiscard]] virtual Expected<Enrolled> enrol(const EnrolmentRequest& request,
                                                 const IssuedCertificate& certificate) = 0;
};

}  // namespace ota::fleet
