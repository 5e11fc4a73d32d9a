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

/// Writes `text` by way of a file beside it, so that it appears whole or not at all, with `mode` from its
/// first byte on. `unavailable` with the reason.
[[nodiscard]] fleet::Expected<void> write_whole(const std::string& path, const std::string& text,
                                                unsigned mode);

}  // namespace ota::otactl
