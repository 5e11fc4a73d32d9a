#pragma once

#include <string>
#include <string_view>

#include "fleet/expected.hpp"
#include "fleet/json_value.hpp"
#include "fleet/ports/rollout_store.hpp"

namespace ota::http {

/// The bodies of the rollout routes, tested field by field; every error is `invalid` and names the field.
/// Time zones are for the caller to test, and `by` is for it to set.
[[nodiscard]] fleet::Expected<fleet::NewRollout> read_rollout(const fleet::JsonValue& body);
/// The same where a name may be missing: a rollout that is only tried out.
[[nodiscard]] fleet::Expected<fleet::NewRollout> read_trial(const fleet::JsonValue& body);
/// Whether the body says a percentage, be it the usual one.
[[nodiscard]] bool names_percentage(const fleet::JsonValue& body);
/// What of `row` the body changes.
[[nodiscard]] fleet::Expected<fleet::RolloutPatch> read_rollout_patch(const fleet::JsonValue& body,
                                                                      const fleet::RolloutRow& row);

/// The members an order may carry; each route looks at those it knows.
struct OrderBody {
  std::string why;
  bool acknowledge = false;
  std::string device_id;
  std::string version;
};
/// An empty text is an order without a word.
[[nodiscard]] fleet::Expected<OrderBody> read_order(std::string_view text);

}  // namespace ota::http
