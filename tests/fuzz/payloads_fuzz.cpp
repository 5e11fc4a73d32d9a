#include "topics/payloads.hpp"

#include "fleet/limits.hpp"
#include "fleet/strict_json.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace ota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto payload = fuzz::text_of(data, size);
  const auto check = topics::decode_check(payload);
  const auto presence = topics::decode_presence(payload);
  const auto report = topics::decode_report(payload, "esp32_001");
  (void)fuzz::value_or_sentence(check);
  (void)fuzz::value_or_sentence(presence);
  const auto salvaged = topics::salvage_report_id(payload);
  (void)fuzz::value_or_sentence(report);
  if (salvaged) {
    fuzz::require(fuzz::is_clean_utf8(*salvaged), "what is told back is clean");
    const auto ack = topics::encode_ack(*salvaged, false, report ? "" : report.error().message);
    fuzz::require(ack.size() <= fleet::kOfferBytesMax * 3 && fleet::parse_json(ack).has_value(),
                  "an ack is bounded JSON");
  }
  fuzz::require(topics::decode_offer_attempt(payload) >= 0 && topics::decode_service_reading(payload) >= 0,
                "numbers of our own messages are none or positive");
  if (!check) {
    fuzz::require(fleet::parse_json(topics::encode_refusal(check.error().message)).has_value(),
                  "a refusal is JSON");
    return 0;
  }
  fleet::NoUpdateAnswer answer;
  answer.current_version = check->version;
  answer.reason = "already on it";
  const auto none = topics::encode_no_update(answer);
  fuzz::require(none.size() <= fleet::kOfferBytesMax && fleet::parse_json(none).has_value(),
                "an answer is bounded JSON");
  return 0;
}
