#pragma once

#include <optional>
#include <pqxx/pqxx>

#include "fleet/list_cursor.hpp"
#include "sql/parameters.hpp"

namespace ota::sql {

#define OTA_SQL_NEVER "'-infinity'::timestamptz"
/// The SQL expression for a cut of ten seconds by its number, and back (fleet/list_cursor.hpp). In days (of
/// UTC, as every session has it) and their rest, since a product of an interval is exact only while it is
/// small.
#define OTA_SQL_CUT(number)                                                    \
  "(CASE " number " WHEN -21086680321 THEN " OTA_SQL_NEVER                     \
  " WHEN 922431801600 THEN 'infinity' "                                        \
  "ELSE 'epoch'::timestamptz + " number " / 8640 * interval '1 day' + " number \
  " % 8640 * interval '10 seconds' END)"
#define OTA_SQL_CUT_NUMBER(cut)                           \
  "(CASE " cut " WHEN " OTA_SQL_NEVER                     \
  " THEN -21086680321 WHEN 'infinity' THEN 922431801600 " \
  "ELSE floor(extract(epoch FROM " cut ") / 10) END)::bigint"
/// A time by its cut's number and the microseconds beyond it.
#define OTA_SQL_CUT_TIME(number, beyond) "(" OTA_SQL_CUT(number) " + " beyond " * interval '1 microsecond')"
#define OTA_SQL_BEYOND_CUT(time, cut) \
  "(CASE WHEN isfinite(" cut ") THEN extract(epoch FROM " time " - " cut ") * 1000000 ELSE 0 END)::bigint"

/// Where the next page begins, by the last row of a page whose columns from `first` on are those of a
/// ListCursor; none after a page that is not full.
[[nodiscard]] std::optional<fleet::ListCursor> next_of(const pqxx::result& rows, int first, int count_max);

}  // namespace ota::sql
