// What the bridge and the monitors may do at the broker.
#include <gtest/gtest.h>

#include <string>

#include "tests/system/broker_fixture.hpp"

namespace ota {
namespace {

class BrokerInternalTest : public BrokerTest {};

// ---- the internal listener -----------------------------------------------------------------------

TEST_F(BrokerInternalTest, InternalListenerWantsThePassword) {
  EXPECT_NE(MqttClient(internal_login("", "")).connect(), kWelcome);
  EXPECT_NE(MqttClient(internal_login(stack_->env("MQTT_BRIDGE_USER"), "wrong")).connect(), kWelcome);
  EXPECT_NE(MqttClient(internal_login("bridge", stack_->env("MQTT_BRIDGE_PASSWORD"))).connect(), kWelcome);
}

TEST_F(BrokerInternalTest, BridgeClearsWhatADeviceHasPlanted) {
  const auto device = connected(device_login("planter"));
  for (const char* kind : {"check", "status", "presence", "fetch"}) {
    EXPECT_TRUE(is_taken(device->publish(device_topic("planter", kind), "{}", true))) << kind;
  }
  const auto bridge = connected(bridge_login());
  for (const char* kind : {"check", "status", "presence", "fetch"}) {
    EXPECT_TRUE(is_taken(bridge->publish(device_topic("planter", kind), "", true))) << kind;
  }
  const auto late = connected(bridge_login());
  for (const char* kind : {"check", "status", "presence", "fetch", "offer"}) {
    ASSERT_LT(late->subscribe(device_topic("planter", kind)), 128);
  }
  EXPECT_TRUE(is_taken(late->publish(device_topic("planter", "offer"), "{}")));
  EXPECT_EQ(topics_until(*late, device_topic("planter", "offer")), Topics{device_topic("planter", "offer")});
}

TEST_F(BrokerInternalTest, BridgeSharesItsSubscriptionsAndSeesTheDropCounter) {
  const auto first = connected(bridge_login());
  ASSERT_LT(first->subscribe("$share/bridges/ota/v1/device/+/check"), 128);
  ASSERT_LT(first->subscribe("$SYS/broker/publish/messages/dropped"), 128);
  const auto dropped = first->next();
  ASSERT_TRUE(dropped);
  EXPECT_EQ(dropped->topic, "$SYS/broker/publish/messages/dropped");
  const auto device = connected(device_login("shared"));
  EXPECT_EQ(device->publish(device_topic("shared", "check"), "{}"), kWelcome);
  const auto topics = topics_until(*first, device_topic("shared", "check"));
  EXPECT_EQ(topics.back(), device_topic("shared", "check"));
}

TEST_F(BrokerInternalTest, BridgeWritesMonitoringTopicsAndNothingForeign) {
  const auto bridge = connected(bridge_login());
  for (const char* topic :
       {"ota/v1/fleet/summary", "ota/v1/fleet/rollout/7", "ota/v1/fleet/event", "ota/v1/service/bridge"}) {
    EXPECT_TRUE(is_taken(bridge->publish(topic, "{}"))) << topic;
  }
  for (const char* topic : {"elsewhere", "ota/v2/fleet/summary", "ota/v1/device/x/other"}) {
    EXPECT_EQ(bridge->publish(topic, "{}"), kNotAllowed) << topic;
  }
}

TEST_F(BrokerInternalTest, MonitorReadsFleetAndServiceAndNothingElse) {
  const auto monitor = connected(monitor_login());
  for (const char* filter : {"#", "ota/v1/#", "$SYS/#", "$share/group/ota/v1/device/+/status"}) {
    monitor->subscribe(filter);
  }
  const auto bridge = connected(bridge_login());
  const auto device = connected(device_login("watched"));
  EXPECT_TRUE(is_taken(device->publish(device_topic("watched", "status"), "{}")));
  for (const auto& topic : {device_topic("watched", "offer"), std::string("ota/v1/fleet/event"),
                            std::string("ota/v1/service/bridge"), std::string("ota/v1/fleet/rollout/1")}) {
    EXPECT_TRUE(is_taken(bridge->publish(topic, "{}"))) << topic;
  }
  // Retained messages of other tests may come first; each subscription brings its own copy.
  for (const auto& topic : topics_until(*monitor, "ota/v1/fleet/rollout/1")) {
    EXPECT_TRUE(topic.rfind("ota/v1/fleet/", 0) == 0 || topic.rfind("ota/v1/service/", 0) == 0) << topic;
  }
}

TEST_F(BrokerInternalTest, MonitorWritesNothing) {
  const auto monitor = connected(monitor_login());
  for (const auto& topic :
       {std::string("ota/v1/fleet/summary"), std::string("ota/v1/service/bridge"), device_topic("x", "offer"),
        device_topic("x", "check"), std::string("elsewhere")}) {
    EXPECT_EQ(monitor->publish(topic, "{}"), kNotAllowed) << topic;
  }
}

}  // namespace
}  // namespace ota
