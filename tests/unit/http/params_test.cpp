#include "http/params.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "tests/support/refused.hpp"

namespace ota::http {
namespace {

using test_support::refused;

TEST(WholeNumber, NeverWraps) {
  EXPECT_EQ(parse_whole("7", 1, 10), 7);
  EXPECT_EQ(parse_whole("9223372036854775807", 1, std::numeric_limits<std::int64_t>::max()),
            std::numeric_limits<std::int64_t>::max());
  for (const char* wrong : {"", "0", "11", "-1", "+1", " 1", "1 ", "1.0", "1e0", "0x1", "9223372036854775808",
                            "18446744073709551617", "one"}) {
    EXPECT_FALSE(parse_whole(wrong, 1, 10)) << wrong;
  }
}

TEST(Utf8, OnlyWellFormedTextPasses) {
  for (const char* right :
       {"", "abc", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_utf8(right)) << right;
  }
  for (const char* wrong :
       {"\x80", "\xC3", "\xC0\xAF", "\xC1\xBF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xFF", "a\xE2\x82", "\xF0\x8F\xBF\xBF"}) {
    EXPECT_FALSE(is_utf8(wrong)) << wrong;
  }
}

TEST(Params, EmptyOptionalOnesCountAsAbsent) {
  const Params params = {{"limit", ""}, {"device_model", ""}, {"is_signed", ""}};
  EXPECT_EQ(limit_param(params, 10, 100).value(), 10);
  EXPECT_EQ(optional_id_param(params, "device_model").value(), "");
  EXPECT_FALSE(flag_param(params, "is_signed").value());
}

TEST(Params, ErrorsNameTheParameter) {
  const Params params = {{"a", "1"}, {"a", "2"}, {"limit", "x"}, {"text", std::string("\0", 1)}};
  EXPECT_EQ(refused(required_param(params, "b")).message, "query parameter b is missing");
  EXPECT_EQ(refused(required_param(params, "a")).message, "query parameter a stands twice");
  EXPECT_EQ(refused(limit_param(params, 1, 5)).message, "limit must be a whole number from 1 to 5");
  EXPECT_EQ(refused(text_param(params, "text")).message, "text holds a NUL character");
}

}  // namespace
}  // namespace ota::http
