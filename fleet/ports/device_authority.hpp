#pragma once

#include <string>
#include <vector>

#include "fleet/certificates.hpp"

namespace ota::fleet {

/// Signs devices' certificates. Thread safe.
class DeviceAuthority {
 public:
  virtual ~DeviceAuthority() = default;

  /// A certificate for `device_id` and the key in `csr_pem`, which must prove that it holds the key. Nothing
  /// else of the request counts. `invalid` when the id is outside the grammar of device ids (the broker puts
  /// the name into its access lists) or the request is not one in PEM form of an EC P-256 key or an RSA key
  /// of 2048 to 4096 bits; `unavailable` when the authority's own certificate is about to end.
  [[nodiscard]] virtual Expected<IssuedCertificate> issue(const std::string& device_id,
                                                          const std::string& csr_pem, Time now) const = 0;

  struct Recognised {
    std::vector<NamedCertificate> ours;
    std::vector<std::string> foreign;  ///< names of what this authority has not issued to a device
  };
  /// Which of the certificates in `pems` (one after the other, each in PEM form) are devices' and of this
  /// authority. `invalid` when there is none at all, or one is broken.
  [[nodiscard]] virtual Expected<Recognised> recognise(const std::string& pems) const = 0;

  /// What devices trust, in PEM form: the root's certificate.
  [[nodiscard]] virtual std::string trust_anchor() const = 0;
};

}  // namespace ota::fleet
