#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "fleet/ports/device_authority.hpp"

namespace ota::bridge {

/// A certificate with its key, both in PEM form, that exists to be refused.
struct Canary {
  std::string certificate;
  std::string key;
  std::string serial;
};

/// A revocation list as it was read.
struct RevocationList {
  std::vector<fleet::RevokedSerial> entries;  ///< sorted, unique
  fleet::Time next_update{};
};

/// The issuing authority of broker-config/ca.sh: signs devices' certificates and the revocation list. Holds a
/// private key in memory. Immutable after load(), so it is thread safe.
class IssuingAuthority final : public fleet::DeviceAuthority {
 public:
  /// `cert_file`: the issuing certificate, then those above it up to what devices trust (chain.crt), or that
  /// of a one-key authority alone. `invalid` naming the file when one cannot be read, they do not belong
  /// together or may not sign. An empty `cert_file` answers null: no authority.
  [[nodiscard]] static fleet::Expected<std::unique_ptr<IssuingAuthority>> load(const std::string& cert_file,
                                                                               const std::string& key_file,
                                                                               int device_days);
  ~IssuingAuthority() override;

  [[nodiscard]] fleet::Expected<fleet::IssuedCertificate> issue(const std::string& device_id,
                                                                const std::string& csr_pem,
                                                                fleet::Time now) const override;
  [[nodiscard]] fleet::Expected<Recognised> recognise(const std::string& pems) const override;
  [[nodiscard]] std::string trust_anchor() const override;
  /// When the issuing certificate itself ends.
  [[nodiscard]] fleet::Time ends_at() const;

  /// A certificate under a name no device can have, to try the broker with. Its serial is of a
  /// kind that is_canary knows.
  [[nodiscard]] fleet::Expected<Canary> make_canary(fleet::Time now, std::chrono::seconds life) const;
  [[nodiscard]] static bool is_canary(const std::string& serial);

  /// The list of `revoked` (sorted, unique) in PEM form, already read back and verified.
  [[nodiscard]] fleet::Expected<std::string> sign_list(const std::vector<fleet::RevokedSerial>& revoked,
                                                       fleet::Time now, fleet::Time next_update) const;
  /// `invalid` when `pem` is not a whole list that this authority has signed.
  [[nodiscard]] fleet::Expected<RevocationList> read_list(const std::string& pem) const;

 private:
  struct State;
  explicit IssuingAuthority(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ota::bridge
