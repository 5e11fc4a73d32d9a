#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fleet/expected.hpp"
#include "fleet/json_value.hpp"
#include "fleet/ports/rollout_store.hpp"

namespace ota::http {

/// The bodies of the rollout routes, tested field by field; every error is `invalid` and names the field.
/// Time zones are for the caller to test, and `by` is for it to set. What old scripts may send along in vain
/// is told by unknown_in; members that nobody knows in a policy's objects are refused.
[[nodiscard]] fleet::Expected<fleet::NewRollout> read_rollout(const fleet::JsonValue& body);
/// The same where a name may be missing: a rollout that is only tried out.
[[nodiscard]] fleet::Expected<fleet::NewRollout> read_trial(const fleet::JsonValue& body);
enum class RolloutBody { whole, patch };
/// A sentence for each member of the body, and of its target_filter, that nobody knows.
[[nodiscard]] std::vector<std::string> unknown_in(const fleet::JsonValue& body, RolloutBody kind);

/// A sentence for each member of target_filter that rollouts of `target_type` do not look at.
[[nodiscard]] std::vector<std::string> idle_in_filter(const fleet::JsonValue& body,
                                                      const std::string& target_type);
/// Whether the body says a percentage, be it the usual one.
[[nodiscard]] bool names_percentage(const fleet::JsonValue& body);
/// What of `row` the body changes.
[[nodiscard]] fleet::Expected<fleet::RolloutPatch> read_rollout_patch(const fleet::JsonValue& body,
                                                                      const fleet::RolloutRow& row);

/// What an order may say.
struct OrderBody {
  std::string why;
  bool acknowledge = false;
  std::string device_id;
  std::string version;
};
/// An empty text is an order without a word. Refused are members that are not `known`: an order that says
/// more than its route takes would do more than was meant.
[[nodiscard]] fleet::Expected<OrderBody> read_order(std::string_view text, std::string_view known = "why");
/// The same with unknown members passed over, for the contract's own order.
[[nodiscard]] fleet::Expected<OrderBody> read_tolerant_order(std::string_view text);
/// `text` as an object without other members than `known`; an empty text is an empty object.
[[nodiscard]] fleet::Expected<fleet::JsonValue> read_body(std::string_view text, std::string_view known);
/// The member `why`.
[[nodiscard]] fleet::Expected<std::string> read_why(const fleet::JsonValue& body);

}  // namespace ota::http
