#pragma once

#include <optional>
#include <string_view>

#include "fleet/catalog.hpp"
#include "fleet/json_value.hpp"

namespace ota::fleet {

/// all | canary | specific | group
[[nodiscard]] std::optional<TargetType> parse_target_type(std::string_view text);

/// A rollout's target_filter (contract section 2) as the decision needs it. Members of other shapes are
/// passed over: whoever wrote them by SQL finds them without effect, not the service without rollouts.
[[nodiscard]] Target read_target(TargetType type, const JsonValue& filter);

}  // namespace ota::fleet
