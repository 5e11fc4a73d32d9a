#pragma once

#include <string>

#include "fleet/expected.hpp"

namespace ota::otactl {

/// A device's new key, made on this machine.
struct DeviceKey {
  std::string key_pem;  ///< EC P-256, PKCS#8
  std::string csr_pem;  ///< asks for a certificate for it (PKCS#10)
};

/// `internal` when OpenSSL fails. The name in the request is for people: the server takes the id it is asked
/// for.
[[nodiscard]] fleet::Expected<DeviceKey> make_device_key(const std::string& device_id);

/// The certificate request in the text of a file, written anew: nothing else that stands there, such as the
/// private key, goes on its way. `invalid` when there is none; `name` is the file's.
[[nodiscard]] fleet::Expected<std::string> request_in(const std::string& text, const std::string& name);

/// The name (CN) in a certificate, which is its device's id; empty when `pem` is no certificate.
[[nodiscard]] std::string name_in_certificate(const std::string& pem);

}  // namespace ota::otactl
