#pragma once

#include <string>
#include <vector>

#include "fleet/certificates.hpp"

namespace ota::fleet {

/// What else recording a certificate does.
enum class Issuance {
  add,     ///< one more for the device. `forbidden` while the device is revoked
  renew,   ///< the same, asked for by the device with the certificate `presented`, which must not be revoked
  replace  ///< for other hardware under the same id: revokes all earlier ones, forgets its MAC and boot id,
           ///< and ends a revocation of the device
};

struct NewCertificate {
  std::string device_id;
  IssuedCertificate certificate;
  Issuance issuance = Issuance::add;
  std::string presented;  ///< with renew: the serial of the certificate it came with
  std::string by;
  std::string why;  ///< empty: no reason given
};

/// A certificate as admins see it. Times are ISO 8601 with offset; empty: not known, or not so.
struct CertificateRow {
  std::string serial;
  std::string fingerprint;
  std::string not_before;
  std::string not_after;
  std::string issued_at;
  std::string issued_by;
  std::string revoked_at;
  std::string revoked_reason;
};

struct Revocation {
  std::string device_id;
  std::vector<std::string> serials;  ///< of certificates the service may not know; as parse_serial answers
  std::string by;
  std::string why;
};

struct Revoked {
  int certificates = 0;  ///< newly revoked
  bool known = false;    ///< whether the service has heard of the device before
};

/// Devices' certificates, for admins and for devices that renew. Thread safe; `unavailable` when the database
/// is away or no connection came free in time.
class CertificateStore {
 public:
  virtual ~CertificateStore() = default;
  /// With its certificate_issued (or _renewed, device_replaced) event. `conflict` beyond
  /// kLiveCertificatesMax.
  [[nodiscard]] virtual Expected<void> record(const NewCertificate& issued) = 0;
  /// Newest first, at most 100.
  [[nodiscard]] virtual Expected<std::vector<CertificateRow>> list(const std::string& device_id) = 0;
  /// Revokes all certificates of the device and the serials given, withdraws the enrolment tokens for it and
  /// blocks it, with a device_revoked event; a device nobody knows becomes known that way. Repeating it
  /// changes nothing. `conflict` when a serial is another device's.
  [[nodiscard]] virtual Expected<Revoked> revoke(const Revocation& revocation) = 0;
  /// Lets the device be heard again, with a device_reinstated event; its old certificates stay revoked.
  /// `not_found`.
  [[nodiscard]] virtual Expected<void> reinstate(const std::string& device_id, const std::string& by,
                                                 const std::string& why) = 0;
  /// Whether the device is blocked, or the certificate it shows (empty: none) was revoked.
  [[nodiscard]] virtual Expected<bool> is_revoked(const std::string& device_id,
                                                  const std::string& serial) = 0;
  /// Notes certificates that were made elsewhere, so that they can be revoked like the others; those of a
  /// blocked device are revoked at once. Answers how many were not known.
  [[nodiscard]] virtual Expected<int> adopt(const std::vector<NamedCertificate>& certificates,
                                            const std::string& by) = 0;
};

}  // namespace ota::fleet
