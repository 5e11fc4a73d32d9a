#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/expected.hpp"

namespace ota::fleet {

/// The lists by time that are read in pages.
enum class List : char { devices = 'd', updates = 'u', releases = 'r' };

/// Where a page ended: at the row of that time and id. A list is read in the order of times cut to ten
/// seconds, and sorted exactly among the rows of a cut that were looked at together (sql/fleet_lists.cpp):
/// those from `top` down to `bottom`. As it is made, it stands before the first row.
struct ListCursor {
  using Limits = std::numeric_limits<std::int64_t>;
  static constexpr std::int64_t kNever = -21'086'680'321;    ///< the cut of rows without a time
  static constexpr std::int64_t kForever = 922'431'801'600;  ///< above every cut that PostgreSQL holds

  std::int64_t cut = kForever;  ///< in tens of seconds since 1970
  std::int64_t beyond_us = 0;   ///< the time less its cut
  std::int64_t id = Limits::max();
  std::int64_t top = Limits::min();
  std::int64_t bottom = Limits::max();
};

/// The text that clients hand back; they read nothing from it. [A-Za-z0-9.-] only.
[[nodiscard]] std::string to_text(const ListCursor& cursor, List list);

/// `invalid` for what to_text did not make for that list; the empty text is the beginning.
[[nodiscard]] Expected<ListCursor> parse_list_cursor(std::string_view text, List list);

/// Which part of a list is asked for.
struct PageWanted {
  int count_max = 50;
  ListCursor after = {};
};

/// A part of a list, and where the next one begins; without `next` it was the last.
template <class Row>
struct Page {
  std::vector<Row> rows;
  std::optional<ListCursor> next;
};

}  // namespace ota::fleet
