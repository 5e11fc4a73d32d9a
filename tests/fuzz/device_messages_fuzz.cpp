#include "esp-client/core/messages.hpp"

#include "tests/fuzz/fuzz.hpp"
#include "topics/payloads.hpp"

using namespace ota;

namespace {

void test_offer(const device::Offer& offer) {
  fuzz::require(device::is_version(offer.version.view()) && device::is_url(offer.url.view()) &&
                    device::is_sha256_hex(offer.sha256.view()) && offer.size_bytes > 0,
                "an offer keeps the grammar");
  // What the device echoes of an offer, the server reads.
  device::Identity identity;
  (void)identity.device_id.assign("esp32_001");
  (void)identity.model.assign("esp32");
  char buffer[device::kMessageBytesMax];
  device::Report report;
  report.attempt_id = offer.attempt_id.view();
  report.version = offer.version.view();
  report.status = device::Status::kDownloading;
  report.report_id = "r1";
  const auto text = device::encode_status(identity, report, buffer, sizeof(buffer));
  fuzz::require(!text.empty(), "a report fits into its buffer");
  const auto check = device::encode_check(identity, offer.version.view(), "b1", buffer, sizeof(buffer));
  fuzz::require(topics::decode_check(check).has_value(), "the server reads the check");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto payload = fuzz::text_of(data, size);
  const auto answer = device::decode_answer(payload);
  if (answer.kind == device::AnswerKind::kOffer) test_offer(answer.offer);
  if (answer.kind == device::AnswerKind::kBad) fuzz::require_sentence(answer.problem);
  device::Ack ack;
  if (device::decode_ack(payload, ack)) {
    fuzz::require(
        topics::encode_ack(ack.report_id.view(), ack.recorded, "").size() <= device::kMessageBytesMax,
        "an ack is bounded");
  }
  const auto reason = device::plain_reason(payload);
  fuzz::require(fuzz::is_clean_utf8(reason.view()), "a reason is plain text");
  return 0;
}
