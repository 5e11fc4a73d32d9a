#pragma once

#include <string>
#include <vector>

#include "fleet/time.hpp"
#include "http/openssl_ptr.hpp"
#include "http/tls_files.hpp"

namespace ota::http {

/// What TlsFiles hold, read and found to fit together.
struct TlsMaterial {
  CertificatePtr certificate;
  std::vector<CertificatePtr> chain;  ///< above the certificate, without the root
  KeyPtr key;
  std::vector<CertificatePtr> client_authorities;
  std::vector<RevocationListPtr> revocation_lists;
  std::vector<std::string> warnings;  ///< a sentence each: expired, about to expire, readable by others
};

/// Reads the files. `invalid`, naming the variable, when one cannot be read or does not fit to the others.
[[nodiscard]] fleet::Expected<TlsMaterial> read_tls_material(const TlsFiles& files);

/// When a certificate ends; the epoch where it does not say so.
[[nodiscard]] fleet::Time end_of(const X509* certificate);

}  // namespace ota::http
