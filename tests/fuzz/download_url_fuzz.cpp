#include "fleet/download_url.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace ota;

namespace {

// Its ticket is the claim itself: whatever a claim's text leaves open, shows.
class PlainSigner final : public fleet::TicketSigner {
 public:
  std::string sign(const fleet::TicketClaim& claim) const override { return fleet::ticket_text(claim); }
  bool verify(const fleet::TicketClaim& claim, std::string_view ticket) const override {
    return sign(claim) == ticket;
  }
};

}  // namespace

// Version, model, device, seconds and ticket of a request, a line each.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const PlainSigner kSigner;
  const auto lines = fuzz::lines_of(fuzz::text_of(data, size), 5);
  const fleet::DownloadUrls urls(&kSigner, std::chrono::minutes(60));
  fleet::TicketClaim claim{std::string(lines[0]), std::string(lines[1]), std::string(lines[2]), 0};
  for (const char c : lines[3].substr(0, 12)) claim.expires_s = claim.expires_s * 10 + (c & 0x0F);
  const auto ticket = kSigner.sign(claim);
  const auto now = fleet::Time(std::chrono::seconds(1000));
  const auto judged = urls.judge(claim, ticket, false, now);
  fuzz::require(judged.has_value() == (claim.expires_s > 1000), "a right ticket opens until it expires");
  fuzz::require(!judged || urls.judge(claim, ticket, true, now).has_value(), "what may begin may go on");
  const auto other = urls.judge(claim, lines[4], false, now);
  fuzz::require(!other || lines[4] == ticket, "no other ticket opens");
  if (!other) fuzz::require_sentence(other.error().message);
  return 0;
}
