#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fleet/certificates.hpp"

namespace ota::fleet {

/// A revoked certificate, or an order to end a device's connection; the device may still be connected.
struct UncutDevice {
  std::string serial;      ///< empty: an order
  std::string device_id;   ///< empty: not known
  std::int64_t order = 0;  ///< its number; 0: a certificate
};

/// What the revocation list is made of. One connection; belongs to one thread.
class RevocationStore {
 public:
  virtual ~RevocationStore() = default;
  /// Revoked certificates that have not expired (those whose end is not known never do), by serial.
  [[nodiscard]] virtual Expected<std::vector<RevokedSerial>> revoked() = 0;
  /// Notes entries of a list that the database does not know: what was revoked elsewhere stays revoked.
  [[nodiscard]] virtual Expected<void> adopt(const std::vector<RevokedSerial>& entries) = 0;
  /// The oldest revocations that are not known to be in force.
  [[nodiscard]] virtual Expected<std::vector<UncutDevice>> uncut(int count_max) = 0;
  /// Those are in force: the list is, and their connections were ended.
  [[nodiscard]] virtual Expected<void> mark_cut(const std::vector<UncutDevice>& cut) = 0;
};

}  // namespace ota::fleet
