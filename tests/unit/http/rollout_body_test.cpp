#include "http/rollout_body.hpp"

#include <gtest/gtest.h>

#include "fleet/strict_json.hpp"

namespace ota::http {
namespace {

fleet::Expected<fleet::NewRollout> read(const std::string& members) {
  const auto body =
      fleet::parse_json(R"({"name":"r1","firmware_version":"1.1.0","device_model":"esp32")" + members + "}");
  return read_rollout(body.value());
}

TEST(RolloutBody, TakesTheDocumentedDefaults) {
  const auto rollout = read(R"(,"target_type":"all","target_filter":null,"later":1)").value();
  EXPECT_EQ(rollout.name, "r1");
  EXPECT_EQ(rollout.version, "1.1.0");
  EXPECT_EQ(rollout.model, "esp32");
  EXPECT_EQ(rollout.target_type, "all");
  EXPECT_EQ(rollout.target_filter_json, "");
  EXPECT_EQ(rollout.percentage, 100);
  EXPECT_TRUE(rollout.is_active);
  EXPECT_FALSE(rollout.allow_downgrade);
}

TEST(RolloutBody, TakesEveryField) {
  const auto rollout = read(R"(,"target_type":"canary","rollout_percentage":10,"is_active":false,
      "allow_downgrade":true,"salt":"s","target_filter":{"exclude_device_ids":["a"],"metadata":{"region":"eu"}})")
                           .value();
  EXPECT_EQ(rollout.percentage, 10);
  EXPECT_FALSE(rollout.is_active);
  EXPECT_TRUE(rollout.allow_downgrade);
  EXPECT_EQ(rollout.salt, "s");
  EXPECT_EQ(rollout.target_filter_json, R"({"exclude_device_ids":["a"],"metadata":{"region":"eu"}})");
}

TEST(RolloutBody, RefusesAndNamesTheField) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "target_type"},
      {R"(,"target_type":"everyone")", "target_type"},
      {R"(,"target_type":"specific")", "device_ids"},
      {R"(,"target_type":"specific","target_filter":{"device_ids":[]})", "device_ids"},
      {R"(,"target_type":"specific","target_filter":{"device_ids":"a"})", "target_filter.device_ids"},
      {R"(,"target_type":"specific","target_filter":{"device_ids":[1]})", "target_filter.device_ids"},
      {R"(,"target_type":"specific","target_filter":{"device_ids":["a/b"]})", "target_filter.device_ids"},
      {R"(,"target_type":"specific","target_filter":{"mac_addresses":["zz"]})",
       "target_filter.mac_addresses"},
      {R"(,"target_type":"group")", "group"},
      {R"(,"target_type":"group","target_filter":{"group":7})", "group"},
      {R"(,"target_type":"group","target_filter":{"groups":[""]})", "target_filter.groups"},
      {R"(,"target_type":"all","target_filter":{"metadata":[]})", "target_filter.metadata"},
      {R"(,"target_type":"all","target_filter":{"exclude_device_ids":{}})",
       "target_filter.exclude_device_ids"},
      {R"(,"target_type":"all","rollout_percentage":100.5)", "rollout_percentage"},
      {R"(,"target_type":"all","allow_downgrade":1)", "allow_downgrade"},
      {R"(,"target_type":"all","salt":1)", "salt"},
  };
  for (const auto& [members, field] : cases) {
    const auto rollout = read(members);
    ASSERT_FALSE(rollout) << members;
    EXPECT_EQ(rollout.error().kind, fleet::ErrorKind::invalid);
    EXPECT_NE(rollout.error().message.find(field), std::string::npos)
        << members << ": " << rollout.error().message;
  }
}

TEST(RolloutBody, SpecificAndGroupTakeEitherForm) {
  EXPECT_TRUE(read(R"(,"target_type":"specific","target_filter":{"mac_addresses":["aa:bb:cc:dd:ee:ff"]})"));
  EXPECT_TRUE(
      read(R"(,"target_type":"specific","target_filter":{"device_ids":["a","b"],"mac_addresses":null})"));
  EXPECT_TRUE(read(R"(,"target_type":"group","target_filter":{"group":"beta"})"));
  EXPECT_TRUE(read(R"(,"target_type":"group","target_filter":{"groups":["beta","lab"]})"));
}

TEST(RolloutPatchBody, TakesEitherFieldOrBoth) {
  const auto both =
      read_rollout_patch(fleet::parse_json(R"({"rollout_percentage":50,"is_active":false})").value(), {});
  EXPECT_EQ(both.value().percentage, 50);
  EXPECT_EQ(both.value().is_active, false);
  const auto one =
      read_rollout_patch(fleet::parse_json(R"({"rollout_percentage":null,"is_active":true})").value(), {});
  EXPECT_FALSE(one.value().percentage);
  EXPECT_FALSE(read_rollout_patch(fleet::parse_json("[]").value(), {}));
}

TEST(RolloutPatchBody, ChangesMembersOfThePolicyAndTheFilter) {
  fleet::RolloutRow row;
  row.target_type = "group";
  row.policy.confirm_minutes = 3;
  const auto read = [&](const char* body) {
    return read_rollout_patch(fleet::parse_json(body).value(), row);
  };
  const auto patch = read(R"({"rate":{"in_flight_max":5},"target_filter":{"group":"beta"}})").value();
  EXPECT_EQ(patch.policy->rate.in_flight_max, 5);
  EXPECT_EQ(patch.policy->confirm_minutes, 3);
  EXPECT_EQ(patch.target_filter_json, R"({"group":"beta"})");
  EXPECT_FALSE(read(R"({"target_filter":{}})")) << "a group rollout needs its group";
  EXPECT_FALSE(read(R"({"unknown":1})"));
  EXPECT_FALSE(read(R"({"target_filter":null,"rate":null,"is_active":null})")) << "null is not given";
  EXPECT_FALSE(read(R"({"confirm_minutes":4,"target_filter":null})")->target_filter_json);
  EXPECT_TRUE(read(R"({"end_at":null})")) << "an end that is taken away";
  EXPECT_FALSE(read(R"({"confirm_minutes":3})")->policy) << "nothing differs";
}

TEST(OrderBody, MayBeEmptyAndIsTestedOtherwise) {
  constexpr char kKnown[] = "why acknowledge device_id firmware_version";
  EXPECT_TRUE(read_order(""));
  const auto order = read_order(R"({"why":"smoke","acknowledge":true,"device_id":"dev-1"})", kKnown).value();
  EXPECT_EQ(order.why, "smoke");
  EXPECT_TRUE(order.acknowledge);
  EXPECT_EQ(order.device_id, "dev-1");
  for (const char* body : {"[]", "{", R"({"why":5})", R"({"acknowledge":"yes"})", R"({"device_id":"a/b"})",
                           R"({"firmware_version":"../x"})"}) {
    EXPECT_FALSE(read_order(body, kKnown)) << body;
    EXPECT_FALSE(read_tolerant_order(body)) << body;
  }
  EXPECT_FALSE(read_order(R"({"acknowledge":true})")) << "a route takes what it acts on";
  EXPECT_TRUE(read_tolerant_order(R"({"acknowledge":true,"later":1})"));
  EXPECT_FALSE(read_order(R"({"why":")" + std::string(501, 'x') + R"("})"));
}

}  // namespace
}  // namespace ota::http
