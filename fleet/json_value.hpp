#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ota::fleet {

/// A parsed JSON document without a library. strict_json.hpp fills it. A number is an int64 when it is whole
/// and fits, else a finite double, so that equal numbers compare equal.
struct JsonValue {
  using Array = std::vector<JsonValue>;
  using Object = std::map<std::string, JsonValue, std::less<>>;

  std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object> value = nullptr;

  /// The member by that key, or nullptr when this is not an object or has none.
  [[nodiscard]] const JsonValue* find(std::string_view key) const;

  /// The strings of this array, or this one string; everything else is passed over.
  [[nodiscard]] std::vector<std::string> strings() const;

  /// PostgreSQL's jsonb `@>`: whether all of `pattern` is found in this value (documentation section 8.14.3).
  [[nodiscard]] bool contains(const JsonValue& pattern) const;

  [[nodiscard]] bool operator==(const JsonValue&) const = default;
};

}  // namespace ota::fleet
