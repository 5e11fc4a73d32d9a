#include "http/certificate_body.hpp"

#include "fleet/ids.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace ota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  const auto csr = http::read_csr_body(text);
  const auto renewed = http::read_renew_body(text);
  const auto revoke = http::read_revoke_body(text);
  const auto enrol = http::read_enrol_body(text);
  const auto token = http::read_token_body(text);
  (void)fuzz::value_or_sentence(token);
  if (const auto* taken = fuzz::value_or_sentence(csr)) {
    fuzz::require(taken->csr.size() <= fleet::kCsrBytesMax, "a request is bounded");
  }
  if (csr) fuzz::require(renewed == csr->csr, "a device may send what an admin may");
  (void)fuzz::value_or_sentence(renewed);
  if (const auto* taken = fuzz::value_or_sentence(revoke)) {
    for (const auto& serial : taken->serials) {
      fuzz::require(fleet::parse_serial("serial", serial).value() == serial, "serials are canonical");
    }
  }
  if (const auto* taken = fuzz::value_or_sentence(enrol)) {
    fuzz::require(fleet::parse_id("device_id", taken->device_id).has_value(),
                  "a device id keeps the grammar");
    fuzz::require(taken->csr.size() <= fleet::kCsrBytesMax, "a request is bounded");
  }
  return 0;
}
