#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ota::fleet {

/// What a download ticket says: this device may begin to load this release until then.
struct TicketClaim {
  std::string version;
  std::string model;
  std::string device_id;
  std::int64_t expires_s = 0;  ///< seconds since 1970
};

/// Makes and tests tickets by a key that devices do not have. Thread safe.
class TicketSigner {
 public:
  virtual ~TicketSigner() = default;
  /// Characters that need no escape in a URL.
  [[nodiscard]] virtual std::string sign(const TicketClaim& claim) const = 0;
  /// The time it takes tells nothing about the right ticket.
  [[nodiscard]] virtual bool verify(const TicketClaim& claim, std::string_view ticket) const = 0;
};

/// The bytes a signer signs. No field can hold a line's end (fleet/ids.hpp), so no two claims read the same.
[[nodiscard]] std::string ticket_text(const TicketClaim& claim);

}  // namespace ota::fleet
