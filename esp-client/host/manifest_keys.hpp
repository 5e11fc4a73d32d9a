#pragma once
#include <map>
#include <memory>
#include <string>

#include "esp-client/core/manifest.hpp"
#include "esp-client/core/ports.hpp"

namespace ota::device::host {

// The public keys of a folder, `<key id>.pem` each (ECDSA P-256, or RSA of 3072 bits and more), checked with
// mbedTLS. On a device the keys are part of the image; the calls are the same. One thread.
class ManifestKeys final : public Signatures {
 public:
  // Throws std::runtime_error when the folder holds no key or one that cannot be used.
  explicit ManifestKeys(const std::string& folder);
  virtual ~ManifestKeys();
  ManifestKeys(const ManifestKeys&) = delete;
  ManifestKeys& operator=(const ManifestKeys&) = delete;

  [[nodiscard]] bool verify(std::string_view key_id, std::string_view signed_text,
                            std::string_view signature_base64) override;

 private:
  class PublicKey;
  std::map<std::string, std::unique_ptr<PublicKey>, std::less<>> keys_;
};

}  // namespace ota::device::host
