#pragma once

#include "http/openssl_ptr.hpp"
#include "http/tls_material.hpp"

namespace ota::http {

/// The rules of every TLS connection (versions, ciphers, resumption, client certificates) around `material`.
/// Each context has ticket keys of its own, so nothing resumes from one to the next. `invalid` when OpenSSL
/// refuses the material, for example too short a key.
[[nodiscard]] fleet::Expected<ContextPtr> make_tls_context(const TlsMaterial& material);

/// CN of a certificate; empty unless there is exactly one, of 1 to 64 bytes without a NUL.
[[nodiscard]] std::string common_name(X509* certificate);
/// As fleet::parse_serial answers it.
[[nodiscard]] std::string serial_number(X509* certificate);

}  // namespace ota::http
