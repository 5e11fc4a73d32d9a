#include "fleet/list_cursor.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace ota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  const auto cursor = fleet::parse_list_cursor(text, fleet::List::devices);
  if (fuzz::value_or_sentence(cursor) == nullptr || text.empty()) return 0;
  fuzz::require(to_text(*cursor, fleet::List::devices) == text, "there is one way to write a cursor");
  fuzz::require(cursor->cut >= fleet::ListCursor::kNever && cursor->cut <= fleet::ListCursor::kForever,
                "its time is one that PostgreSQL holds");
  fuzz::require(!fleet::parse_list_cursor(text, fleet::List::updates), "it is of one list");
  return 0;
}
