#pragma once

#include <string_view>

#include "fleet/json_value.hpp"

namespace ota::sql {

/// PostgreSQL's text of a jsonb value as the domain's. Unlike fleet::parse_json it takes any size: a
/// target filter may list thousands of devices, and the database is no stranger. What is nested deeper than
/// 64 levels becomes null.
[[nodiscard]] fleet::JsonValue parse_jsonb(std::string_view text);

}  // namespace ota::sql
