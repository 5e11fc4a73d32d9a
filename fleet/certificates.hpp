#pragma once

#include <string>
#include <string_view>

#include "fleet/expected.hpp"
#include "fleet/limits.hpp"
#include "fleet/time.hpp"

namespace ota::fleet {

/// A certificate as the authority has just signed it.
struct IssuedCertificate {
  std::string serial;       ///< as parse_serial answers it
  std::string pem;          ///< the certificate alone
  std::string fingerprint;  ///< SHA-256 of its DER form, lower-case hex
  Time not_before{};
  Time not_after{};
};

/// A certificate and whose it is.
struct NamedCertificate {
  std::string device_id;
  IssuedCertificate certificate;
};

/// An entry of the revocation list.
struct RevokedSerial {
  std::string serial;
  Time revoked_at{};

  friend bool operator==(const RevokedSerial& a, const RevokedSerial& b) { return a.serial == b.serial; }
  friend bool operator<(const RevokedSerial& a, const RevokedSerial& b) { return a.serial < b.serial; }
};

/// A serial number as tools print it (hex in either case, with or without colons or leading zeros, at most 20
/// bytes as RFC 5280 section 4.1.2.2 has it), answered as lower-case hex of whole bytes without a leading
/// zero byte: the one spelling that the database and the lists compare.
[[nodiscard]] Expected<std::string> parse_serial(std::string_view field, std::string_view text);

}  // namespace ota::fleet
