#pragma once

#include <memory>
#include <string>

#include "fleet/expected.hpp"

namespace ota::otactl {

/// A private key in PKCS#8 or SEC1 PEM form, encrypted or not: ECDSA P-256, or RSA of 3072 bits or more
/// (signed by PSS). Its memory is wiped by the destructor.
class SigningKey {
 public:
  /// `invalid` when the file is no such key or the passphrase is wrong.
  [[nodiscard]] static fleet::Expected<std::unique_ptr<SigningKey>> load(const std::string& path,
                                                                         std::string passphrase);
  ~SigningKey();
  SigningKey(const SigningKey&) = delete;
  SigningKey& operator=(const SigningKey&) = delete;

  /// The signature of the SHA-256 of `text`, in base64.
  [[nodiscard]] fleet::Expected<std::string> sign(const std::string& text);

 private:
  SigningKey();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ota::otactl
