#include "http/range.hpp"

#include <gtest/gtest.h>

namespace ota::http {
namespace {

struct Case {
  const char* header;
  RangeOutcome outcome;
  std::size_t offset;
  std::size_t length;
};

class RangeOf10Bytes : public ::testing::TestWithParam<Case> {};

TEST_P(RangeOf10Bytes, IsRead) {
  ByteRange range;
  EXPECT_EQ(parse_range(GetParam().header, 10, range), GetParam().outcome) << GetParam().header;
  EXPECT_EQ(range.offset, GetParam().offset) << GetParam().header;
  EXPECT_EQ(range.length, GetParam().length) << GetParam().header;
}

INSTANTIATE_TEST_SUITE_P(
    Headers, RangeOf10Bytes,
    ::testing::Values(
        Case{"bytes=0-0", RangeOutcome::part, 0, 1}, Case{"bytes=0-9", RangeOutcome::part, 0, 10},
        Case{"bytes=3-", RangeOutcome::part, 3, 7}, Case{"bytes=3-99", RangeOutcome::part, 3, 7},
        Case{"bytes=-4", RangeOutcome::part, 6, 4}, Case{"bytes=-99", RangeOutcome::part, 0, 10},
        Case{"Bytes=9-9", RangeOutcome::part, 9, 1}, Case{"bytes= 1-2 ", RangeOutcome::part, 1, 2},
        Case{"bytes=0-18446744073709551615", RangeOutcome::part, 0, 10},
        Case{"bytes=10-", RangeOutcome::unsatisfiable, 0, 0},
        Case{"bytes=20-30", RangeOutcome::unsatisfiable, 0, 0},
        Case{"bytes=99999999999999999999999-", RangeOutcome::unsatisfiable, 0, 0},
        Case{"bytes=-0", RangeOutcome::unsatisfiable, 0, 0}, Case{"bytes=5-4", RangeOutcome::whole, 0, 0},
        Case{"bytes=-", RangeOutcome::whole, 0, 0}, Case{"bytes=", RangeOutcome::whole, 0, 0},
        Case{"bytes=a-b", RangeOutcome::whole, 0, 0}, Case{"bytes=1-2x", RangeOutcome::whole, 0, 0},
        Case{"bytes=0-1,4-5", RangeOutcome::whole, 0, 0}, Case{"items=0-1", RangeOutcome::whole, 0, 0},
        Case{"", RangeOutcome::whole, 0, 0}, Case{"bytes=--1", RangeOutcome::whole, 0, 0}));

TEST(EtagList, NamesTheEtag) {
  EXPECT_TRUE(names_etag("\"a\"", "\"a\""));
  EXPECT_TRUE(names_etag("\"b\", W/\"a\"", "\"a\""));
  EXPECT_TRUE(names_etag("*", "\"a\""));
  EXPECT_FALSE(names_etag("\"b\"", "\"a\""));
  EXPECT_FALSE(names_etag("a", "\"a\""));
  EXPECT_FALSE(names_etag("", "\"a\""));
}

}  // namespace
}  // namespace ota::http
