#include "fleet/rollout_policy.hpp"

#include "fleet/strict_json.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace ota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto body = fleet::parse_json(fuzz::text_of(data, size));
  if (!body) return 0;
  const auto policy = fleet::parse_policy(*body);
  if (fuzz::value_or_sentence(policy) == nullptr) return 0;
  int before = 0;
  for (const auto& stage : policy->stages) {
    fuzz::require(stage.percentage > before && stage.percentage <= 100, "stages rise to 100 at most");
    before = stage.percentage;
  }
  fuzz::require(policy->pause_after(1'000'000) <= std::chrono::hours(24), "a pause is a day at most");
  const auto written = fleet::policy_json(*policy);
  fuzz::require(fleet::test_policy_members(written).has_value(), "every written member is known");
  const auto again = fleet::parse_policy(written);
  fuzz::require(again.has_value() && *again == *policy, "reading what was written gives the same policy");
  return 0;
}
