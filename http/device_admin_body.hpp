#pragma once

#include <string_view>

#include "fleet/expected.hpp"
#include "fleet/json_value.hpp"
#include "fleet/ports/device_store.hpp"

namespace ota::http {

/// The bodies of the routes for single devices and groups, tested field by field; every error is `invalid`
/// and names the field. `by` is for the caller to set.
[[nodiscard]] fleet::Expected<fleet::DevicePatch> read_device_patch(const fleet::JsonValue& body);
[[nodiscard]] fleet::Expected<fleet::GroupChange> read_group_change(std::string_view group,
                                                                    const fleet::JsonValue& body);

}  // namespace ota::http
