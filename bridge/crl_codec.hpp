#pragma once

#include <string>
#include <vector>

#include "bridge/issuing_authority.hpp"
#include "bridge/x509.hpp"

namespace ota::bridge {

/// `revoked` (sorted, unique) as a signed revocation list in PEM form (RFC 5280 section 5). Its number is the
/// time in milliseconds, which rises whoever writes it. It is valid from `from`.
[[nodiscard]] fleet::Expected<std::string> encode_crl(const std::vector<fleet::RevokedSerial>& revoked,
                                                      const x509::Identity& issuer, fleet::Time from,
                                                      fleet::Time next_update);

/// `invalid` when `pem` is anything but one list that `issuer` has signed.
[[nodiscard]] fleet::Expected<RevocationList> decode_crl(const std::string& pem, X509* issuer);

}  // namespace ota::bridge
