#include "fleet/strict_json.hpp"

#include <gtest/gtest.h>

#include "fleet/parse_messages.hpp"

namespace ota::fleet {
namespace {

TEST(StrictJson, ReadsAndWritesBack) {
  const std::string text = R"({"a":[1,-2.5,true,null,"\u00e9"],"b":{"c":9223372036854775807}})";
  EXPECT_EQ(to_json(parse_json(text).value()),
            "{\"a\":[1,-2.5,true,null,\"\xc3\xa9\"],\"b\":{\"c\":9223372036854775807}}");
}

TEST(StrictJson, RefusesWhatIsHostileWithASentence) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "not valid JSON"},
      {"{", "not valid JSON"},
      {"{}x", "not valid JSON"},
      {std::string("{}\0", 3), "NUL"},
      {std::string("{}\0x", 4), "NUL"},
      {"{\"a\":1,\"a\":2}", "stands twice"},
      {"{\"a\":\"\xff\"}", "not valid JSON"},
      {"{\"a\":\"\\u0000\"}", "NUL"},
      {"{\"a\\u0000\":1}", "NUL"},
      {"{\"a\":1e400}", "out of range"},
      {"{\"a\":NaN}", "not valid JSON"},
      {std::string(17, '[') + std::string(17, ']'), "deeper"},
      {std::string(60000, '['), "deeper"},
      {"\"" + std::string(kJsonBytesMax, 'x') + "\"", "at most"},
  };
  for (const auto& [text, part] : cases) {
    const auto parsed = parse_json(text);
    ASSERT_FALSE(parsed) << text.substr(0, 60);
    EXPECT_NE(parsed.error().message.find(part), std::string::npos) << parsed.error().message;
  }
  EXPECT_TRUE(parse_json(std::string(16, '[') + std::string(16, ']')));
}

std::string refusal_of(const std::string& text) {
  const auto report = parse_report(parse_json(text).value(), "dev1");
  return report ? "accepted" : report.error().message;
}

TEST(ParseReport, NamesTheWrongField) {
  EXPECT_EQ(refusal_of(R"([])"), "the body must be a JSON object");
  EXPECT_EQ(refusal_of(R"({"status":"success"})"), "firmware_version is missing");
  EXPECT_NE(refusal_of(R"({"device_id":"dev2","firmware_version":"1","status":"success"})").find("device_id"),
            std::string::npos);
  for (const char* progress : {"-1", "101", "9223372036854775808", "\"5\"", "5.5", "true", "[]"}) {
    const auto text =
        R"({"firmware_version":"1","status":"downloading","progress_percent":)" + std::string(progress) + "}";
    EXPECT_EQ(refusal_of(text), "progress_percent must be a whole number from 0 to 100") << progress;
  }
  EXPECT_NE(refusal_of(R"({"firmware_version":"1","status":"done"})").find("one of pending"),
            std::string::npos);
  EXPECT_NE(refusal_of(R"({"firmware_version":"1","status":"success","attempt_id":0})").find("attempt_id"),
            std::string::npos);
}

TEST(ParseReport, TakesNullsAndCutsLongErrorsAtACharacter) {
  std::string error(kErrorMessageBytesMax - 1, 'x');
  error += "\xc3\xa9";
  const auto report =
      parse_report(parse_json(R"({"firmware_version":"1","status":"failed","progress_percent":null,)"
                              R"("error_message":")" +
                              error + "\"}")
                       .value(),
                   "dev1");
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->progress_percent);
  EXPECT_EQ(report->error, std::string(kErrorMessageBytesMax - 1, 'x'));
}

}  // namespace
}  // namespace ota::fleet
