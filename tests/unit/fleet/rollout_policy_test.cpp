#include "fleet/rollout_policy.hpp"

#include <gtest/gtest.h>

#include "fleet/iso_time.hpp"
#include "fleet/known_names.hpp"
#include "fleet/strict_json.hpp"
#include "tests/support/fleet_builders.hpp"

namespace ota::fleet {
namespace {

Expected<RolloutPolicy> parse(const std::string& json) {
  return parse_policy(parse_json(json).value());
}

std::string refusal(const std::string& json) {
  const auto policy = parse(json);
  return policy ? "accepted" : policy.error().message;
}

TEST(RolloutPolicy, WithoutAWordPausesAtMoreThanATenthOfTenFailures) {
  const auto policy = parse("{}");
  ASSERT_TRUE(policy);
  ASSERT_EQ(policy->abort_criteria.size(), 1U);
  EXPECT_EQ(policy->abort_criteria[0], AbortCriterion{});
  EXPECT_EQ(to_json(policy_json(*policy)), "{}");
}

constexpr char kWhole[] = R"({
    "stages": [{"percentage":5,"success_percent_min":90,"finished_min":3,"soak_minutes":60},{"percentage":100}],
    "abort_criteria": [{"failure":"timed_out","percent_max":20,"finished_min":10,"action":"rollback"},
                       {"failure":"any"}],
    "rate": {"per_minute_max":10,"in_flight_max":5},
    "windows": [{"weekdays":["sat","sun"],"start":"22:30","minutes":180,"time_zone":"Europe/Berlin"}],
    "start_at": "2030-01-31T08:00:00+01:00", "end_at": "2030-02-28T08:00:00Z", "end_action": "abort",
    "retries": {"failed": 0}, "attempt_minutes_max": 60, "confirm_minutes": 5, "retry_pause_minutes": 1,
    "start_within_seconds": 30})";

TEST(RolloutPolicy, ReadsBackWhatItWrites) {
  const auto policy = parse(kWhole);
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->stages[1].success_percent_min, 95);
  EXPECT_EQ(to_iso(*policy->start_at), "2030-01-31T07:00:00.000000+00:00");
  EXPECT_EQ(policy->windows[0].start_minute, 22 * 60 + 30);
  const auto again = parse_policy(policy_json(*policy));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, *policy);
}

TEST(RolloutPolicy, KnowsEveryMemberThatItWrites) {
  const auto written = policy_json(parse(kWhole).value());
  for (const auto& [name, value] : std::get<JsonValue::Object>(written.value)) {
    EXPECT_TRUE(is_known(name, kPolicyMembers)) << name;
  }
  EXPECT_EQ(std::get<JsonValue::Object>(written.value).size(), 12U)
      << "all of them, so that none is forgotten";
  const auto tested = test_policy_members(written);
  EXPECT_TRUE(tested) << tested.error().message;
}

TEST(RolloutPolicy, AMisspeltMemberOfItsObjectsIsNamedWithTheRightOne) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"stages":[{"percentage":5},{"percentage":100,"soak_minuts":60}]})",
       "'soak_minuts' is not a member of stages[1]; did you mean soak_minutes?"},
      {R"({"abort_criteria":[{"percent_mx":3}]})",
       "'percent_mx' is not a member of abort_criteria[0]; did you mean percent_max?"},
      {R"({"windows":[{"timezone":"UTC"}]})",
       "'timezone' is not a member of windows[0]; did you mean time_zone?"},
      {R"({"rate":{"in_flight":5}})", "'in_flight' is not a member of rate; did you mean in_flight_max?"},
      {R"({"retries":{"timedout":5}})", "'timedout' is not a member of retries; did you mean timed_out?"},
  };
  for (const auto& [body, sentence] : cases) {
    const auto tested = test_policy_members(parse_json(body).value());
    ASSERT_FALSE(tested) << body;
    EXPECT_EQ(tested.error().kind, ErrorKind::invalid);
    EXPECT_EQ(tested.error().message, sentence);
  }
  for (const char* body : {R"({"starts_at":1})", R"({"stages":null,"rate":[],"windows":5})", "[]"}) {
    EXPECT_TRUE(test_policy_members(parse_json(body).value())) << body << ": for others to refuse";
  }
}

TEST(RolloutPolicy, AStoredOneWithANewerServicesMembersIsStillRead) {
  EXPECT_EQ(parse(R"({"stages":[{"percentage":100,"later":1}],"later":2})").value().stages.size(), 1U);
}

TEST(RolloutPolicy, NoCriteriaAtAllIsNotTheSameAsNoWord) {
  const auto policy = parse(R"({"abort_criteria":[]})");
  ASSERT_TRUE(policy);
  EXPECT_TRUE(policy->abort_criteria.empty());
  EXPECT_EQ(*parse_policy(policy_json(*policy)), *policy);
}

TEST(RolloutPolicy, ChangesOnlyWhatABodyNames) {
  const auto base = parse(R"({"rate":{"in_flight_max":5},"confirm_minutes":3})").value();
  const auto changed = parse_policy(parse_json(R"({"confirm_minutes":4})").value(), base);
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->confirm_minutes, 4);
  EXPECT_EQ(changed->rate.in_flight_max, 5);
}

struct Refused {
  const char* body;
  const char* names;
};

class PolicyRefusals : public testing::TestWithParam<Refused> {};

TEST_P(PolicyRefusals, NameTheField) {
  EXPECT_NE(refusal(GetParam().body).find(GetParam().names), std::string::npos) << refusal(GetParam().body);
}

INSTANTIATE_TEST_SUITE_P(
    Bodies, PolicyRefusals,
    testing::Values(
        Refused{R"({"stages":[{"percentage":50},{"percentage":50}]})", "stages[1].percentage"},
        Refused{R"({"stages":[{"percentage":0}]})", "stages[0]: percentage"},
        Refused{R"({"stages":[{}]})", "stages[0]: percentage"},
        Refused{R"({"stages":5})", "stages must be a list"},
        Refused{R"({"stages":[7]})", "stages[0] must be an object"},
        Refused{R"({"abort_criteria":[{"failure":"bored"}]})", "abort_criteria[0]: failure"},
        Refused{R"({"abort_criteria":[{"failure":"withdrawn"}]})", "abort_criteria[0]: failure"},
        Refused{R"({"abort_criteria":[{"failure":"any","action":"explode"}]})", "abort_criteria[0]: action"},
        Refused{R"({"abort_criteria":[{"failure":"any","percent_max":101}]})", "percent_max"},
        Refused{R"({"rate":{"in_flight_max":-1}})", "rate: in_flight_max"}, Refused{R"({"rate":[]})", "rate"},
        Refused{R"({"windows":[{"start":"22:00","minutes":60}]})", "time_zone"},
        Refused{R"({"windows":[{"start":"24:00","minutes":60,"time_zone":"UTC"}]})", "windows[0]: start"},
        Refused{R"({"windows":[{"start":"2:00","minutes":60,"time_zone":"UTC"}]})", "windows[0]: start"},
        Refused{R"({"windows":[{"weekdays":["day"],"start":"02:00","minutes":60,"time_zone":"UTC"}]})",
                "weekdays"},
        Refused{R"({"windows":[{"start":"02:00","minutes":1441,"time_zone":"UTC"}]})", "minutes"},
        Refused{R"({"start_at":"tomorrow"})", "start_at"},
        Refused{R"({"start_at":"2030-01-31T08:00:00"})", "start_at"},
        Refused{R"({"start_at":"2030-02-30T08:00:00Z"})", "start_at"},
        Refused{R"({"start_at":"2030-01-02T00:00:00Z","end_at":"2030-01-01T00:00:00Z"})", "end_at"},
        Refused{R"({"end_action":"rollback"})", "end_action"},
        Refused{R"({"retries":{"failed":101}})", "retries: failed"},
        Refused{R"({"confirm_minutes":0})", "confirm_minutes"}));

TEST(RolloutPolicy, PausesGrowWithEachFailureUpToADay) {
  RolloutPolicy policy;
  EXPECT_EQ(policy.pause_after(1), std::chrono::minutes(5));
  EXPECT_EQ(policy.pause_after(2), std::chrono::minutes(10));
  EXPECT_EQ(policy.pause_after(3), std::chrono::minutes(20));
  EXPECT_EQ(policy.pause_after(99), std::chrono::hours(24));
}

Time at(const char* iso) {
  return parse_iso_time(iso).value();
}

TEST(Windows, ReachIntoTheNextDayButBeginOnlyOnTheirDays) {
  // 2026-11-20 is a Friday.
  const auto windows =
      parse(R"({"windows":[{"weekdays":["fri"],"start":"23:00","minutes":120,"time_zone":"UTC"}]})")->windows;
  EXPECT_FALSE(is_open(windows, at("2026-11-20T22:59:59Z"), tests::utc_clock));
  EXPECT_TRUE(is_open(windows, at("2026-11-20T23:00:00Z"), tests::utc_clock));
  EXPECT_TRUE(is_open(windows, at("2026-11-21T00:59:59Z"), tests::utc_clock));
  EXPECT_FALSE(is_open(windows, at("2026-11-21T01:00:00Z"), tests::utc_clock));
  EXPECT_FALSE(is_open(windows, at("2026-11-21T23:30:00Z"), tests::utc_clock));
}

TEST(Windows, InAnUnknownZoneStayClosedAndNoneAtAllAreOpen) {
  const auto windows =
      parse(R"({"windows":[{"start":"00:00","minutes":1440,"time_zone":"Moon/Base"}]})")->windows;
  EXPECT_FALSE(is_open(windows, at("2026-11-20T12:00:00Z"), tests::utc_clock));
  EXPECT_TRUE(is_open({}, at("2026-11-20T12:00:00Z"), tests::utc_clock));
}

}  // namespace
}  // namespace ota::fleet
