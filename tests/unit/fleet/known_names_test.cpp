#include "fleet/known_names.hpp"

#include <gtest/gtest.h>

#include "fleet/strict_json.hpp"
#include "tests/support/refused.hpp"

namespace ota::fleet {
namespace {

constexpr std::string_view kToken = "device_id device_model valid_minutes";

std::string said_of(std::string_view name, std::string_view known) {
  return unknown_name(name, known, "member of this body");
}

TEST(KnownNames, AreComparedAsAWhole) {
  EXPECT_TRUE(is_known("device_id", kToken));
  EXPECT_TRUE(is_known("valid_minutes", kToken));
  for (const char* name : {"", "device", "device_id ", "device_id device_model", "Device_id", "minutes"}) {
    EXPECT_FALSE(is_known(name, kToken)) << name;
  }
  EXPECT_FALSE(is_known("a", ""));
}

TEST(KnownNames, TheOneThatWasMeantIsNamed) {
  const char* const policy = "stages abort_criteria start_at start_within_seconds end_at";
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"device", "device_id device_model valid_minutes", "device_id"},
      {"starts_at", policy, "start_at"},
      {"start_time", policy, "start_at"},
      {"abort_criterion", policy, "abort_criteria"},
      {"percent_mx", "failure percent_max finished_min action", "percent_max"},
      {"soak_minuts", "percentage success_percent_min finished_min soak_minutes", "soak_minutes"},
      {"rollout_percent", "rollout_percentage is_active", "rollout_percentage"},
      {"serial", "why serials", "serials"},
      {"exclude_devices", "device_ids exclude_device_ids metadata", "exclude_device_ids"},
      {"expires_in_days", "name role expires_at", "expires_at"},
      {"is_signd", "version is_signed force", "is_signed"},
  };
  for (const auto& [name, known, meant] : cases) {
    EXPECT_EQ(said_of(name, known),
              std::string("'") + name + "' is not a member of this body; did you mean " + meant + "?");
  }
}

TEST(KnownNames, WhereNoneIsNearAllAreListed) {
  EXPECT_EQ(said_of("hours", kToken),
            "'hours' is not a member of this body; there are device_id, device_model, valid_minutes");
  EXPECT_EQ(said_of("ttl", ""), "'ttl' is not a member of this body; there are none");
  EXPECT_EQ(said_of("x", "add"), "'x' is not a member of this body; there are add") << "too short to guess";
}

TEST(KnownNames, AHostileNameIsShownShortAndClean) {
  const auto sentence = said_of("\n\xFF" + std::string(60000, 'x'), kToken);
  EXPECT_LT(sentence.size(), 250U);
  EXPECT_EQ(sentence.find('\n'), std::string::npos);
}

TEST(KnownNames, EachUnknownMemberOfABodyHasItsSentenceButNotWithoutEnd) {
  const auto two = unknown_members(parse_json(R"({"device_id":"a","device":1,"hours":2})").value(), kToken);
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[0].find("'device'"), 0U);
  EXPECT_EQ(two[1].find("'hours'"), 0U);
  EXPECT_TRUE(unknown_members(parse_json(R"({"device_id":null})").value(), kToken).empty());
  EXPECT_TRUE(unknown_members(parse_json("[1]").value(), kToken).empty());
  JsonValue::Object many;
  for (int i = 0; i < 1000; ++i) many.emplace("m" + std::to_string(i), JsonValue{});
  const auto told = unknown_members({std::move(many)}, kToken);
  ASSERT_EQ(told.size(), 11U);
  EXPECT_EQ(told.back(), "so it is with 990 more");
}

TEST(KnownNames, ABodyMayBeRequiredToHaveNoOthers) {
  EXPECT_TRUE(require_members(parse_json(R"({"device_id":"a"})").value(), kToken));
  const auto refused = require_members(parse_json(R"({"device":"a"})").value(), kToken);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::invalid);
  EXPECT_EQ(refused.error().message, "'device' is not a member of this body; did you mean device_id?");
  EXPECT_EQ(test_support::refused(require_members(parse_json("[]").value(), kToken)).message,
            "the body must be a JSON object");
}

}  // namespace
}  // namespace ota::fleet
