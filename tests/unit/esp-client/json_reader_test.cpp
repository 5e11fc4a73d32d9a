#include "esp-client/core/json_reader.hpp"

#include <gtest/gtest.h>

#include <string>

#include "esp-client/core/backoff.hpp"
#include "esp-client/core/json_writer.hpp"
#include "esp-client/core/messages.hpp"

namespace ota::device {
namespace {

using namespace std::string_literals;

JsonField read_a(const std::string& text, const char** problem = nullptr) {
  JsonField field{"a"};
  const char* found = read_json_object(text, &field, 1);
  if (problem != nullptr) *problem = found;
  return field;
}

TEST(JsonReader, ReadsEveryKindOfValue) {
  EXPECT_EQ(read_a(R"({"a":null})").kind, JsonKind::kNull);
  EXPECT_EQ(read_a(R"({"a":true})").kind, JsonKind::kTrue);
  EXPECT_EQ(read_a(R"({"a":false})").kind, JsonKind::kFalse);
  EXPECT_EQ(read_a(R"( { "a" : -1.5e+3 } )").raw, "-1.5e+3");
  EXPECT_EQ(read_a(R"({"a":"x"})").raw, "x");
  EXPECT_EQ(read_a(R"({"b":[1,{"a":2}],"a":[]})").kind, JsonKind::kArray);
  EXPECT_EQ(read_a(R"({"a":{"a":1,"a":2}})").kind, JsonKind::kObject);
  EXPECT_EQ(read_a("{}").kind, JsonKind::kAbsent);
  EXPECT_EQ(read_a(R"({"\u0061":7})").raw, "7");
}

class Hostile : public ::testing::TestWithParam<std::string> {};

TEST_P(Hostile, IsRefusedWithASentence) {
  const char* problem = nullptr;
  read_a(GetParam(), &problem);
  ASSERT_NE(problem, nullptr);
  EXPECT_NE(*problem, '\0');
}

INSTANTIATE_TEST_SUITE_P(
    Texts, Hostile,
    ::testing::Values(""s, " "s, "null"s, "[]"s, "1"s, "{"s, "{\"a\""s, "{\"a\":"s, "{\"a\":1"s, "{\"a\":1,"s,
                      "{\"a\":1,}"s, "{,}"s, "{\"a\" 1}"s, "{a:1}"s, "{'a':1}"s, "{\"a\":1}x"s,
                      "{\"a\":1}{}"s, "{\"a\":01}"s, "{\"a\":+1}"s, "{\"a\":.5}"s, "{\"a\":1.}"s,
                      "{\"a\":1e}"s, "{\"a\":-}"s, "{\"a\":NaN}"s, "{\"a\":Infinity}"s, "{\"a\":tru}"s,
                      "{\"a\":nulL}"s, "{\"a\":\"x}"s, "{\"a\":\"\\\"}"s, "{\"a\":\"\\x\"}"s,
                      "{\"a\":\"\\u12\"}"s, "{\"a\":\"\\u000g\"}"s, "{\"a\":\"\\u0000\"}"s, "{\"a\":\"\0\"}"s,
                      "{\"a\":\"\n\"}"s, "{\"a\":\"\\ud800\"}"s, "{\"a\":\"\\udc00\"}"s,
                      "{\"a\":\"\\ud800\\u0041\"}"s, "{\"a\":\"\x80\"}"s, "{\"a\":\"\xc0\xaf\"}"s,
                      "{\"a\":\"\xe0\x80\x80\"}"s, "{\"a\":\"\xed\xa0\x80\"}"s,
                      "{\"a\":\"\xf4\x90\x80\x80\"}"s, "{\"a\":\"\xf5\x80\x80\x80\"}"s, "{\"a\":\"\xc3\"}"s,
                      "{\"a\":1,\"a\":1}"s, "{\"a\":1,\"\\u0061\":1}"s, "{\"\xff\":1}"s, "{\"b\":[1,]}"s,
                      "{\"b\":[1 2]}"s, "\xef\xbb\xbf{\"a\":1}"s,
                      "{\"b\":" + std::string(100, '[') + std::string(100, ']') + "}",
                      std::string(200'000, '['), "{\"a\":\"" + std::string(kJsonBytesMax, 'x') + "\"}"));

TEST(JsonReader, DepthAtTheLimitIsFine) {
  const auto nested = [](int depth) {
    const auto n = static_cast<std::size_t>(depth);
    return "{\"a\":" + std::string(n, '[') + std::string(n, ']') + "}";
  };
  const char* problem = nullptr;
  read_a(nested(kJsonDepthMax - 1), &problem);
  EXPECT_EQ(problem, nullptr);
  read_a(nested(kJsonDepthMax), &problem);
  EXPECT_NE(problem, nullptr);
}

TEST(JsonReader, NumbersAreNeverWrapped) {
  const auto number = [](const std::string& text, std::uint64_t max = UINT64_MAX) {
    std::uint64_t out = 0;
    return read_unsigned(read_a("{\"a\":" + text + "}"), 0, max, out) == Read::kOk;
  };
  EXPECT_TRUE(number("0"));
  EXPECT_TRUE(number("18446744073709551615"));
  for (const char* bad : {"18446744073709551616", "99999999999999999999999", "-1", "-0", "1.0", "1e400",
                          "1e2", "\"5\"", "true", "[5]"}) {
    EXPECT_FALSE(number(bad)) << bad;
  }
  EXPECT_TRUE(number("100", 100));
  EXPECT_FALSE(number("101", 100));
}

TEST(JsonReader, StringsAreDecodedOrRefusedWhole) {
  FixedString<4> out;
  EXPECT_EQ(read_string(read_a(R"({"a":"\ud83d\ude00"})"), out), Read::kOk);
  EXPECT_EQ(out.view(), "\xf0\x9f\x98\x80");
  EXPECT_EQ(read_string(read_a(R"({"a":"\n\t\"\\"})"), out), Read::kOk);
  EXPECT_EQ(out.view(), "\n\t\"\\");
  EXPECT_EQ(read_string(read_a(R"({"a":"abcde"})"), out), Read::kWrong);
  EXPECT_EQ(read_string(read_a(R"({"a":null})"), out), Read::kAbsent);
  EXPECT_EQ(read_string(read_a(R"({"a":5})"), out), Read::kWrong);
}

TEST(JsonReader, NoBytesMakeItReadBeyondItsText) {
  // Under the sanitizers this is a small fuzzer; elsewhere it shows that nothing loops for ever.
  const std::string seed =
      R"({"update_available":true,"latest_version":"1.1.0","download_url":"/x","file_size":5,)"
      R"("checksum_sha256":"\u00e9\ud83d\ude00","attempt_id":257,"more":[{"x":[1,2.5e3,null]}]})";
  Jitter dice(7);
  for (int round = 0; round < 30'000; ++round) {
    std::string text = seed.substr(0, dice.up_to(seed.size()));
    for (std::uint64_t changes = dice.up_to(4); changes > 0 && !text.empty(); --changes) {
      text[dice.up_to(text.size() - 1)] = static_cast<char>(dice.up_to(255));
    }
    (void)decode_answer(std::string_view(text));
    Ack ack;
    (void)decode_ack(text, ack);
  }
}

TEST(JsonWriter, EscapesAndNeverSendsHalfAMessage) {
  char buffer[64];
  JsonWriter json(buffer, sizeof buffer);
  EXPECT_EQ(json.string("a", "\"\\\n").number("b", UINT64_MAX).text(),
            R"({"a":"\"\\\u000a","b":18446744073709551615})");
  JsonWriter small(buffer, 10);
  EXPECT_EQ(small.string("a", "0123456789").text(), "");
}

}  // namespace
}  // namespace ota::device
