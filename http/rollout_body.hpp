#pragma once

#include "fleet/expected.hpp"
#include "fleet/json_value.hpp"
#include "fleet/ports/admin_store.hpp"

namespace ota::http {

/// The body of rollout/create (contract sections 1 and 2), every field tested. Errors are `invalid` and name
/// the field.
[[nodiscard]] fleet::Expected<fleet::NewRollout> read_rollout(const fleet::JsonValue& body);

/// The body of PATCH rollout: rollout_percentage and/or is_active.
[[nodiscard]] fleet::Expected<fleet::RolloutPatch> read_rollout_patch(const fleet::JsonValue& body);

}  // namespace ota::http
