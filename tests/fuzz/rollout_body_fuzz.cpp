#include "http/rollout_body.hpp"

#include "fleet/ids.hpp"
#include "fleet/strict_json.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace ota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  const auto order = http::read_order(text);
  (void)fuzz::value_or_sentence(order);
  (void)fuzz::value_or_sentence(http::read_tolerant_order(text));
  (void)fuzz::value_or_sentence(http::read_body(text, "why"));
  const auto body = fleet::parse_json(text);
  if (!body) return 0;
  for (const auto& sentence : http::unknown_in(*body, http::RolloutBody::whole))
    fuzz::require(fuzz::is_clean_utf8(sentence), "what is told back is clean");
  const auto rollout = http::read_rollout(*body);
  const auto trial = http::read_trial(*body);
  const auto patch = http::read_rollout_patch(*body, fleet::RolloutRow{});
  (void)fuzz::value_or_sentence(trial);
  (void)fuzz::value_or_sentence(patch);
  if (fuzz::value_or_sentence(rollout) == nullptr) return 0;
  fuzz::require(trial.has_value(), "what can be created can be tried out");
  fuzz::require(rollout->percentage >= 0 && rollout->percentage <= 100, "a percentage is one");
  fuzz::require(fleet::parse_id("model", rollout->model).has_value(), "a model keeps the grammar");
  fuzz::require(
      rollout->target_filter_json.empty() || fleet::parse_json(rollout->target_filter_json).has_value(),
      "a filter is JSON");
  return 0;
}
