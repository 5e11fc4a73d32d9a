#include "fleet/list_cursor.hpp"

#include <gtest/gtest.h>

namespace ota::fleet {
namespace {

TEST(ListCursor, IsReadAsItWasWritten) {
  const ListCursor cursor{176'984'640, 9'999'999, 7, 12, -5};
  const auto read = parse_list_cursor(to_text(cursor, List::devices), List::devices);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(to_text(*read, List::devices), "d176984640.9999999.7.12.-5");
}

TEST(ListCursor, NoneIsTheBeginning) {
  EXPECT_EQ(parse_list_cursor("", List::updates)->cut, ListCursor::kForever);
}

TEST(ListCursor, OfAnythingElseIsRefusedInASentence) {
  const char* const foreign[] = {"5",
                                 "x",
                                 "u1.2.3.4.5",
                                 "d1.2.3.4",
                                 "d1.2.3.4.5.",
                                 "d1.2.3.4.5.6",
                                 "d1.2.3.4. 5",
                                 "d01.2.3.4.5",
                                 "d1.-2.3.4.5",
                                 "d1.10000000.3.4.5",
                                 "d.....",
                                 "d922431801601.0.1.1.1",
                                 "d1.2.3.4.99999999999999999999"};
  for (const auto* text : foreign) {
    const auto read = parse_list_cursor(text, List::devices);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().kind, ErrorKind::invalid);
    EXPECT_EQ(read.error().message, "cursor must be the next_cursor of the page before, of the same list");
  }
}

}  // namespace
}  // namespace ota::fleet
