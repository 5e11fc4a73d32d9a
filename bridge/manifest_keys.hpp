#pragma once

#include <memory>
#include <string>

#include "fleet/manifest.hpp"

namespace ota::bridge {

/// The public keys that verify manifests: files `<key id>.pem` of a folder, and of its subfolder `retired/`
/// those whose manifests stay valid on devices but are no longer taken. ECDSA P-256 and RSA-PSS of 3072 bits
/// or more. Read once at start; no private key is ever needed here.
class ManifestKeys final : public fleet::ManifestVerifier {
 public:
  /// `invalid` naming the file when one cannot be read or is no public key of these kinds. An empty `folder`
  /// has no keys.
  [[nodiscard]] static fleet::Expected<std::unique_ptr<ManifestKeys>> load(const std::string& folder);
  ~ManifestKeys() override;

  [[nodiscard]] fleet::Expected<void> verify(const fleet::Manifest& manifest) const override;
  [[nodiscard]] bool empty() const;

 private:
  ManifestKeys();
  struct Keys;
  std::unique_ptr<Keys> keys_;
};

}  // namespace ota::bridge
