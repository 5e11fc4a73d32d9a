#include "fleet/download_url.hpp"

namespace ota::fleet {
namespace {

// A device on a slow link or switched off at night goes on where it stood.
constexpr std::chrono::hours kContinueFor{24};

std::int64_t seconds_of(Time time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace

std::string ticket_text(const TicketClaim& claim) {
  return "ota-download-v1\n" + claim.version + '\n' + claim.model + '\n' + claim.device_id + '\n' +
         std::to_string(claim.expires_s) + '\n';
}

std::string DownloadUrls::path(const OfferAnswer& offer, std::string_view device_id) const {
  const auto& release = *offer.release;
  std::string url = "/api/firmware/download/" + release.version;
  if (signer_ != nullptr || offer.catalog->is_ambiguous(release.version)) {
    url += "?device_model=" + release.model;
  }
  if (signer_ != nullptr) {
    const TicketClaim claim{release.version, release.model, std::string(device_id),
                            seconds_of(offer.answered_at + valid_for_)};
    url += "&device=" + claim.device_id + "&expires=" + std::to_string(claim.expires_s) +
           "&ticket=" + signer_->sign(claim);
  }
  // '+' in a version is a space to servers that decode it as a form; as %2B it is neither.
  for (auto at = url.find('+'); at != std::string::npos; at = url.find('+', at)) url.replace(at, 1, "%2B");
  return url;
}

Expected<void> DownloadUrls::judge(const TicketClaim& claim, std::string_view ticket, bool continues,
                                   Time now) const {
  if (signer_ == nullptr || !signer_->verify(claim, ticket)) {
    return fail(ErrorKind::forbidden,
                "the ticket is not one of this service's for that version, device_model and device; check "
                "again for a fresh download_url");
  }
  const auto grace_s = continues ? std::chrono::seconds(kContinueFor).count() : 0;
  if (seconds_of(now) - grace_s >= claim.expires_s) {
    return fail(ErrorKind::forbidden, "the download_url has expired; check again for a fresh one");
  }
  return {};
}

}  // namespace ota::fleet
