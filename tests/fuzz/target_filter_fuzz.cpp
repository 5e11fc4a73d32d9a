#include "fleet/target_filter.hpp"

#include "fleet/strict_json.hpp"
#include "fleet/targeting.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/fleet_builders.hpp"

using namespace ota;

// The type on the first line, the filter behind it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto lines = fuzz::lines_of(fuzz::text_of(data, size), 2);
  const auto filter = fleet::parse_json(lines[1]);
  const auto named = fleet::parse_target_type(lines[0]);
  if (!filter) return 0;
  fleet::Device device;
  device.id = "esp32_001";
  device.metadata = *filter;
  for (const auto type : {named.value_or(fleet::TargetType::all), fleet::TargetType::canary,
                          fleet::TargetType::specific, fleet::TargetType::group}) {
    auto target = fleet::read_target(type, *filter);
    target.percentage = 0;
    const auto membership = fleet::membership_of(device, target, &tests::test_sha256);
    fuzz::require(type == fleet::TargetType::specific || membership != fleet::Membership::in,
                  "nobody is in at 0 percent");
  }
  return 0;
}
