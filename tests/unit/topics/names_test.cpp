#include "topics/names.hpp"

#include <gtest/gtest.h>

namespace ota::topics {
namespace {

TEST(Names, StandBelowTheRoot) {
  const auto names = Names::make("ota/v1").value();
  EXPECT_EQ(names.device("dev1", DeviceTopic::offer), "ota/v1/device/dev1/offer");
  EXPECT_EQ(names.every_device(DeviceTopic::check), "ota/v1/device/+/check");
  EXPECT_EQ(names.rollout(7), "ota/v1/fleet/rollout/7");
  EXPECT_EQ(names.summary(), "ota/v1/fleet/summary");
  EXPECT_EQ(names.event(), "ota/v1/fleet/event");
  EXPECT_EQ(names.service("r1"), "ota/v1/service/r1");
}

TEST(Names, ParseWhatTheyMake) {
  const auto names = Names::make("fleet/a").value();
  for (const auto kind : {DeviceTopic::check, DeviceTopic::offer, DeviceTopic::status, DeviceTopic::ack,
                          DeviceTopic::presence}) {
    const auto parsed = names.parse(names.device("ESP32:01", kind));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->kind, kind);
    EXPECT_EQ(parsed->device_id, "ESP32:01");
  }
}

TEST(Names, RefuseForeignTopicsAndIds) {
  const auto names = Names::make("ota/v1").value();
  for (const char* topic :
       {"", "ota/v1", "ota/v1/device", "ota/v1/device/", "ota/v1/device/a", "ota/v1/device//check",
        "ota/v1/device/a/b/check", "ota/v1/device/../check", "ota/v1/device/a/boom", "ota/v2/device/a/check",
        "ota/v1/device/a b/check", "ota/v1/device/a/check/"}) {
    EXPECT_FALSE(names.parse(topic)) << topic;
  }
}

TEST(Names, RefuseRootsThatBreakFilters) {
  for (const char* root : {"", "/ota", "ota/", "a//b", "ota/+", "#", "$SYS", "a b"})
    EXPECT_FALSE(Names::make(root)) << root;
}

}  // namespace
}  // namespace ota::topics
