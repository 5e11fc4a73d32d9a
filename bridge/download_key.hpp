#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fleet/expected.hpp"
#include "fleet/ports/ticket_signer.hpp"

namespace ota::bridge {

/// Download tickets by HMAC-SHA-256, cut to 128 bits and written as base64url: an offer has to fit into a
/// device's 1024 bytes, and RFC 2104 section 5 allows half the hash. Thread safe.
class DownloadKey final : public fleet::TicketSigner {
 public:
  /// The keys of `file`, one a line: the first signs, both verify (a new key goes first, the old one stays
  /// until its tickets have expired). nullptr when `file` is empty; `invalid` with a sentence for a file that
  /// cannot be used.
  [[nodiscard]] static fleet::Expected<std::unique_ptr<DownloadKey>> load(const std::string& file);

  [[nodiscard]] std::string sign(const fleet::TicketClaim& claim) const override;
  [[nodiscard]] bool verify(const fleet::TicketClaim& claim, std::string_view ticket) const override;

 private:
  explicit DownloadKey(std::vector<std::string> keys) : keys_(std::move(keys)) {}
  const std::vector<std::string> keys_;
};

}  // namespace ota::bridge
