#include "fleet/admin_key.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace ota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  const auto role = fleet::parse_key_role(text);
  if (!role) return 0;
  fuzz::require(fleet::to_string(*role) == text, "a role is written in one way");
  fuzz::require(fleet::allows(*role, fleet::KeyRole::viewer), "every key may read");
  return 0;
}
