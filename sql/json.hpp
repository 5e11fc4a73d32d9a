#pragma once

#include <string>
#include <string_view>

#include "fleet/json_value.hpp"

namespace ota::sql {

/// PostgreSQL's text of a jsonb value as the domain's. What is nested deeper than 64 levels becomes null.
[[nodiscard]] fleet::JsonValue parse_jsonb(std::string_view text);

/// The text of `value`; bytes that are not UTF-8 replaced.
[[nodiscard]] std::string json_text(const fleet::JsonValue& value);

}  // namespace ota::sql
