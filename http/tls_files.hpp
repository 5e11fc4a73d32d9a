#pragma once

#include <string>
#include <vector>

#include "fleet/expected.hpp"

namespace ota::http {

/// PEM files that HTTPS is made of: HTTPS_CERT, HTTPS_KEY, HTTPS_CLIENT_CA, HTTPS_CLIENT_CRL. Empty: not set.
struct TlsFiles {
  std::string certificate;  ///< the server's, and the authorities between it and the root; empty: plain HTTP
  std::string key;
  std::string
      client_ca;  ///< set: clients may show a certificate, which has to be of one of these authorities
  std::string client_crl;  ///< lists of revoked ones; set: each client's authority needs a list that is valid
};

/// Tests the files as a whole. The warnings; or `invalid`, naming the variable.
[[nodiscard]] fleet::Expected<std::vector<std::string>> test_tls_files(const TlsFiles& files);

}  // namespace ota::http
