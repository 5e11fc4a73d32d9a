#pragma once

#include <string>
#include <string_view>

#include "fleet/expected.hpp"
#include "fleet/json_value.hpp"
#include "fleet/limits.hpp"

namespace ota::fleet {

/// Reads hostile JSON: RFC 8259 and nothing more, valid UTF-8, no duplicate keys, no NUL, no number outside
/// of a finite double, at most `bytes_max` and kJsonDepthMax (tested while reading, so memory stays bounded).
/// Errors: `malformed` or `too_large` with a sentence. Thread safe.
[[nodiscard]] Expected<JsonValue> parse_json(std::string_view text, std::size_t bytes_max = kJsonBytesMax);

/// `value` as compact JSON text; the inverse of parse_json.
[[nodiscard]] std::string to_json(const JsonValue& value);

}  // namespace ota::fleet
