#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "fleet/expected.hpp"
#include "fleet/messages.hpp"
#include "fleet/ports/ticket_signer.hpp"
#include "fleet/time.hpp"

namespace ota::fleet {

/// How devices reach their image. Without a signer URLs are plain and open to everybody; with one each URL
/// carries a ticket: for one device, one release, until a time. Thread safe; the signer outlives it.
class DownloadUrls {
 public:
  DownloadUrls() = default;
  DownloadUrls(const TicketSigner* signer, std::chrono::minutes valid_for)
      : signer_(signer), valid_for_(valid_for) {}

  [[nodiscard]] bool have_tickets() const { return signer_ != nullptr; }

  /// Path and query of the download that `offer` is about: what download_url is made of.
  [[nodiscard]] std::string path(const OfferAnswer& offer, std::string_view device_id) const;

  /// Whether `ticket` opens the download at `now`. A download that `continues` another one (a Range that does
  /// not begin at 0) may do so for a further day. `forbidden` with a sentence when it does not.
  [[nodiscard]] Expected<void> judge(const TicketClaim& claim, std::string_view ticket, bool continues,
                                     Time now) const;

 private:
  const TicketSigner* signer_ = nullptr;
  std::chrono::minutes valid_for_{0};
};

}  // namespace ota::fleet
