#pragma once

#include <optional>
#include <string>

#include "fleet/device_proof.hpp"
#include "fleet/expected.hpp"

namespace ota::fleet {

/// Devices' tokens, of which only digests are stored. Thread safe; `unavailable` when the database is away or
/// no connection came free in time.
class TokenStore {
 public:
  virtual ~TokenStore() = default;
  /// The token takes the place of the device's earlier one; with its device_token_issued event. The device
  /// need not have been heard of: its token is often there before it.
  [[nodiscard]] virtual Expected<void> set_token(const DeviceToken& token, const std::string& by) = 0;
  /// With its device_token_revoked event; `not_found` when the device has none.
  [[nodiscard]] virtual Expected<void> remove_token(const std::string& device_id, const std::string& by) = 0;
  /// The device whose token has that digest; nullopt when it is nobody's, or a revoked device's.
  [[nodiscard]] virtual Expected<std::optional<std::string>> find_owner(const KeyDigest& digest) = 0;
};

}  // namespace ota::fleet
