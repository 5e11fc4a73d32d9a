#include "http/device_admin_body.hpp"

#include "fleet/strict_json.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace ota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto body = fleet::parse_json(fuzz::text_of(data, size));
  if (!body) return 0;
  const auto patch = http::read_device_patch(*body);
  const auto change = http::read_group_change("beta", *body);
  (void)fuzz::value_or_sentence(patch);
  (void)fuzz::value_or_sentence(change);
  return 0;
}
