#include "fleet/device_proof.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace ota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  const auto auth = fleet::parse_device_auth(text);
  if (auth) fuzz::require(fleet::to_string(*auth) == text, "a way to show who one is is written in one way");
  return 0;
}
