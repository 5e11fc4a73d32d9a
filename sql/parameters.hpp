#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "fleet/time.hpp"

namespace ota::sql {

/// Builds an array literal ({"a",NULL,"b"}) for $n::text[] and the like: one parameter for a column of a
/// whole batch, in every version of libpqxx.
class ArrayLiteral {
 public:
  ArrayLiteral& add(std::string_view text);
  ArrayLiteral& add_or_null(std::string_view text);  ///< an empty text is NULL
  ArrayLiteral& add(std::int64_t number);
  ArrayLiteral& add(int number) { return add(std::int64_t{number}); }
  ArrayLiteral& add(bool value);
  ArrayLiteral& add(const char*) = delete;  // would be a bool
  ArrayLiteral& add_null();
  /// Microseconds since 1970, which the statements turn into timestamptz.
  ArrayLiteral& add(fleet::Time time) { return add(std::int64_t{time.time_since_epoch().count()}); }

  [[nodiscard]] std::string str() const { return std::string("{").append(elements_).append("}"); }

 private:
  void next();
  std::string elements_;
};

/// Refuses (throws Refusal, `invalid`) a text with a NUL byte, which PostgreSQL cannot hold.
const std::string& without_nul(const std::string& text);

/// nullptr, that is NULL, for an empty text.
[[nodiscard]] inline const char* text_or_null(const std::string& text) {
  return text.empty() ? nullptr : without_nul(text).c_str();
}

/// The id that a page begins below; 0 is the newest page. Always a comparison, so that every plan can use it.
[[nodiscard]] constexpr std::int64_t before_or_newest(std::int64_t before_id) {
  return before_id == 0 ? std::numeric_limits<std::int64_t>::max() : before_id;
}

/// Microseconds since 1970 as text to a time.
[[nodiscard]] fleet::Time time_from(std::int64_t microseconds);

/// The SQL expression for ISO 8601 with offset and microseconds, as every time in our answers; NULL stays
/// NULL.
#define OTA_SQL_ISO(column) "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"')"
/// The SQL expression for microseconds since 1970; NULL for infinity and for years that no number holds.
#define OTA_SQL_MICROSECONDS(column)             \
  "(CASE WHEN " column                           \
  " BETWEEN '0001-01-01' AND '9999-12-31' THEN " \
  "extract(epoch FROM " column ") * 1000000 END)::bigint"
/// The SQL expression for the time at so many microseconds since 1970.
#define OTA_SQL_TIME(microseconds) "('epoch'::timestamptz + " microseconds " * interval '1 microsecond')"

}  // namespace ota::sql
