#include "fleet/ids.hpp"

#include <gtest/gtest.h>

namespace ota::fleet {
namespace {

TEST(Ids, AcceptTheWholeGrammar) {
  for (const char* id : {"a", "esp32_001", "ESP32-AABBCCDD", "aa:bb:cc", "x.y", "..."}) {
    EXPECT_TRUE(parse_id("device_id", id)) << id;
  }
  EXPECT_TRUE(parse_id("device_id", std::string(64, 'x')));
}

TEST(Ids, RefuseEverythingElseAndNameTheField) {
  const std::string nul("a\0b", 3);
  for (const std::string& id :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("+"),
        std::string("#"), std::string("$SYS"), std::string("a b"), std::string("a\n"), nul,
        std::string("\xc3\xa9"), std::string(65, 'x'), std::string(65536, 'x')}) {
    const auto parsed = parse_id("device_id", id);
    ASSERT_FALSE(parsed) << id;
    EXPECT_EQ(parsed.error().kind, ErrorKind::invalid);
    EXPECT_EQ(parsed.error().message.rfind("device_id", 0), 0U) << parsed.error().message;
    EXPECT_LT(parsed.error().message.size(), 300U);
  }
}

TEST(Ids, AllowPlusInVersionsOnly) {
  EXPECT_TRUE(parse_version_text("version", "1.0.0+build.5"));
  EXPECT_FALSE(parse_id("device_id", "1.0.0+build.5"));
}

TEST(Mac, ComesOutCanonicalFromEverySpelling) {
  for (const char* mac : {"aa:bb:cc:dd:ee:0f", "AA-BB-CC-DD-EE-0F", "aabbccddee0f"}) {
    EXPECT_EQ(parse_mac("mac", mac).value(), "AA:BB:CC:DD:EE:0F");
  }
}

TEST(Mac, RefusesWhatIsNone) {
  for (const char* mac :
       {"", "aa:bb:cc:dd:ee", "aa:bb:cc:dd:ee:ff:00", "gg:bb:cc:dd:ee:ff", "aa bb cc dd ee ff"}) {
    EXPECT_FALSE(parse_mac("mac", mac)) << mac;
  }
}

}  // namespace
}  // namespace ota::fleet
