#include "fleet/list_cursor.hpp"

#include <array>
#include <charconv>

namespace ota::fleet {
namespace {

constexpr std::int64_t kCutUs = 10'000'000;

bool is_within(const ListCursor& cursor) {
  return cursor.cut >= ListCursor::kNever && cursor.cut <= ListCursor::kForever && cursor.beyond_us >= 0 &&
         cursor.beyond_us < kCutUs;
}

}  // namespace

std::string to_text(const ListCursor& cursor, List list) {
  std::string text(1, static_cast<char>(list));
  for (const auto number : {cursor.cut, cursor.beyond_us, cursor.id, cursor.top, cursor.bottom}) {
    if (text.size() > 1) text += '.';
    text += std::to_string(number);
  }
  return text;
}

Expected<ListCursor> parse_list_cursor(std::string_view text, List list) {
  if (text.empty()) return ListCursor{};
  ListCursor cursor;
  const std::array<std::int64_t*, 5> numbers = {&cursor.cut, &cursor.beyond_us, &cursor.id, &cursor.top,
                                                &cursor.bottom};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (std::size_t i = 0; i < numbers.size() && at != end; ++i) {
    ++at;  // the letter, then the dots
    at = std::from_chars(at, end, *numbers[i]).ptr;
  }
  // Only what comes out as the same text was all read.
  if (to_text(cursor, list) == text && is_within(cursor)) return cursor;
  return fail(ErrorKind::invalid, "cursor must be the next_cursor of the page before, of the same list");
}

}  // namespace ota::fleet
