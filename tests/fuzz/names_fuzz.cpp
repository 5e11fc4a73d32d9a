#include "topics/names.hpp"

#include "fleet/ids.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace ota;

// The root on the first line, a topic behind it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto lines = fuzz::lines_of(fuzz::text_of(data, size), 2);
  const auto own = topics::Names::make(lines[0]);
  (void)fuzz::value_or_sentence(own);
  const auto names = own ? *own : topics::Names::make("ota/v1").value();
  const auto parsed = names.parse(lines[1]);
  if (fuzz::value_or_sentence(parsed) == nullptr) return 0;
  fuzz::require(fleet::parse_id("device", parsed->device_id).has_value(),
                "a topic's device keeps the grammar");
  fuzz::require(names.device(parsed->device_id, parsed->kind) == lines[1], "a topic is written in one way");
  return 0;
}
