// What a device may do at the broker. Denials are shown by what arrives: the broker grants every subscription
// and, on MQTT 3.1.1, every publish.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/system/broker_fixture.hpp"

namespace ota {
namespace {

class BrokerDeviceTest : public BrokerTest {};

// ---- devices: writing ----------------------------------------------------------------------------

TEST_F(BrokerDeviceTest, DeviceWritesItsOwnRequestsAndTheBridgeGetsThem) {
  const auto bridge = connected(bridge_login());
  for (const char* kind : {"check", "status", "presence", "fetch"}) {
    ASSERT_LT(bridge->subscribe(device_topic("+", kind)), 128);
  }
  const auto device = connected(device_login("writer"));
  for (const char* kind : {"check", "status", "presence", "fetch"}) {
    EXPECT_EQ(device->publish(device_topic("writer", kind), "{}"), kWelcome) << kind;
    const auto message = bridge->next();
    ASSERT_TRUE(message) << kind;
    EXPECT_EQ(message->topic, device_topic("writer", kind));
  }
}

TEST_F(BrokerDeviceTest, DeviceWritesNothingElse) {
  // Its own answers, another's topics (also under the other's client id), and everything beyond the devices.
  auto login = device_login("intruder");
  login.client_id = "victim";
  const auto device = connected(login);
  Topics forbidden = {
      "ota/v1/fleet/summary",          "ota/v1/fleet/event",     "ota/v1/service/bridge",         "ota/v1",
      "homeassistant/update/x/config", "ota/v1/device/intruder", "ota/v1/device/intruder/check/x"};
  for (const char* kind : {"offer", "ack", "block"}) forbidden.push_back(device_topic("intruder", kind));
  for (const char* kind : {"check", "status", "presence", "fetch", "offer", "ack", "block"}) {
    forbidden.push_back(device_topic("victim", kind));
  }
  for (const auto& topic : forbidden) EXPECT_EQ(device->publish(topic, "{}"), kNotAllowed) << topic;
}

TEST_F(BrokerDeviceTest, RefusedPublishOnMqtt311ArrivesNowhere) {
  const auto bridge = connected(bridge_login());
  ASSERT_LT(bridge->subscribe(device_topic("+", "status")), 128);
  auto login = device_login("old-client");
  login.version = 4;
  const auto device = connected(login);
  EXPECT_EQ(device->publish(device_topic("victim", "status"), "{}"), kWelcome);
  EXPECT_EQ(device->publish(device_topic("old-client", "status"), "{}"), kWelcome);
  EXPECT_EQ(topics_until(*bridge, device_topic("old-client", "status")),
            Topics{device_topic("old-client", "status")});
}

TEST_F(BrokerDeviceTest, LastWillOnAnothersTopicIsDropped) {
  const auto bridge = connected(bridge_login());
  ASSERT_LT(bridge->subscribe(device_topic("+", "presence")), 128);
  auto foreign = device_login("will-forger");
  foreign.will_topic = device_topic("victim", "presence");
  auto own = device_login("will-owner");
  own.will_topic = device_topic("will-owner", "presence");
  // A second connection of the same name ends the first one, and that sends its will. The forger goes first.
  for (const auto& login : {foreign, own}) {
    const auto first = connected(login);
    const auto second = connected(login);
    EXPECT_TRUE(first->wait_for_disconnect());
  }
  EXPECT_EQ(topics_until(*bridge, own.will_topic), Topics{own.will_topic});
}

// ---- devices: reading ----------------------------------------------------------------------------

TEST_F(BrokerDeviceTest, DeviceReadsItsOwnAnswers) {
  const auto device = connected(device_login("reader"));
  const auto bridge = connected(bridge_login());
  for (const char* kind : {"offer", "ack", "block"}) {
    ASSERT_LT(device->subscribe(device_topic("reader", kind)), 128);
    EXPECT_EQ(bridge->publish(device_topic("reader", kind), "for you"), kWelcome) << kind;
    const auto message = device->next();
    ASSERT_TRUE(message) << kind;
    EXPECT_EQ(message->payload, "for you");
  }
}

TEST_F(BrokerDeviceTest, DeviceThatSubscribesToEverythingGetsOnlyItsOwn) {
  auto login = device_login("curious");
  login.client_id = "neighbour";
  const auto curious = connected(login);
  for (const char* filter : {"#", "$SYS/#", "ota/v1/device/+/offer", "ota/v1/device/neighbour/#",
                             "ota/v1/fleet/#", "ota/v1/service/#", "$share/group/ota/v1/device/+/check"}) {
    curious->subscribe(filter);
  }
  const auto neighbour = connected(device_login("neighbour"));
  EXPECT_TRUE(is_taken(neighbour->publish(device_topic("neighbour", "check"), "{}")));
  const auto bridge = connected(bridge_login());
  for (const auto& topic : {device_topic("neighbour", "offer"), device_topic("neighbour", "ack"),
                            device_topic("neighbour", "block"), std::string("ota/v1/fleet/summary"),
                            std::string("ota/v1/service/bridge"), device_topic("curious", "ack")}) {
    EXPECT_TRUE(is_taken(bridge->publish(topic, "secret"))) << topic;
  }
  EXPECT_EQ(topics_until(*curious, device_topic("curious", "ack")).front(), device_topic("curious", "ack"));
}

TEST_F(BrokerDeviceTest, RetainedOfferOfAnotherIsNotDelivered) {
  const auto bridge = connected(bridge_login());
  EXPECT_TRUE(is_taken(bridge->publish(device_topic("retained-a", "offer"), "a", true)));
  EXPECT_TRUE(is_taken(bridge->publish(device_topic("retained-b", "offer"), "b", true)));
  const auto device = connected(device_login("retained-b"));
  ASSERT_LT(device->subscribe("ota/v1/device/#"), 128);
  const auto message = device->next();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->topic, device_topic("retained-b", "offer"));
  EXPECT_TRUE(message->retained);
}

// ---- devices: identity ---------------------------------------------------------------------------

TEST_F(BrokerDeviceTest, AnothersClientIdDoesNotDisconnectIt) {
  auto login = device_login("stable");
  login.client_id = "stable";
  const auto stable = connected(login);
  auto other = device_login("pusher");
  other.client_id = "stable";
  const auto pusher = connected(other);
  EXPECT_TRUE(is_taken(stable->publish(device_topic("stable", "check"), "{}")));
  EXPECT_TRUE(stable->is_connected());
  EXPECT_TRUE(pusher->is_connected());
}

TEST_F(BrokerDeviceTest, CertificateNamedLikeAServiceUserGainsNothing) {
  const auto bridge = connected(bridge_login());
  int number = 0;
  for (const std::string name : {"bridge", "bridge@internal", "monitor@internal", "root"}) {
    const auto posing = connected(device_login(forge(name, "posing" + std::to_string(++number))));
    for (const char* filter : {"#", "ota/v1/device/+/check", "ota/v1/fleet/#", "$SYS/#"})
      posing->subscribe(filter);
    EXPECT_TRUE(is_taken(bridge->publish("ota/v1/fleet/summary", "{}")));
    EXPECT_TRUE(is_taken(bridge->publish(device_topic("anyone", "check"), "", true)));
    EXPECT_EQ(posing->publish(device_topic("anyone", "offer"), "{}"), kNotAllowed) << name;
    EXPECT_EQ(posing->publish("ota/v1/service/bridge", "{}"), kNotAllowed) << name;
    const auto own = device_topic(name, "ack");
    EXPECT_TRUE(is_taken(bridge->publish(own, "{}")));
    EXPECT_EQ(topics_until(*posing, own), Topics{own}) << name;
  }
}

TEST_F(BrokerDeviceTest, CertificateNamedLikeAWildcardReadsNothing) {
  const auto bridge = connected(bridge_login());
  int number = 0;
  for (const std::string name : {"+", "#"}) {
    // Some versions of Mosquitto refuse such a name at once; those that do not must not expand it.
    MqttClient wildcard(device_login(forge(name, "wildcard" + std::to_string(++number))));
    if (wildcard.connect() != kWelcome) continue;
    wildcard.subscribe("#");
    wildcard.subscribe("ota/v1/device/+/offer");
    EXPECT_EQ(wildcard.publish(device_topic("anyone", "check"), "{}"), kNotAllowed) << name;
    EXPECT_TRUE(is_taken(bridge->publish(device_topic("anyone", "offer"), "secret")));
    // Nothing may come at all, so there is no last message to wait for; its own round trip must do. The
    // broker has sent whatever was due before it answers this.
    wildcard.subscribe("nothing");
    EXPECT_FALSE(wildcard.next(std::chrono::milliseconds(0))) << name;
  }
}

TEST_F(BrokerDeviceTest, WithoutACertificateOfOursNobodyConnects) {
  auto none = device_login("nobody");
  none.cert.clear();
  none.key.clear();
  EXPECT_NE(MqttClient(none).connect(), kWelcome);

  auto password = none;
  password.username = stack_->env("MQTT_BRIDGE_USER");
  password.password = stack_->env("MQTT_BRIDGE_PASSWORD");
  EXPECT_NE(MqttClient(password).connect(), kWelcome);

  const auto base = (stack_->directory() / "stranger").string();
  const auto made = run_command({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                 "ec_paramgen_curve:prime256v1", "-noenc", "-subj", "/CN=stranger", "-days",
                                 "1", "-keyout", base + ".key", "-out", base + ".crt"});
  ASSERT_EQ(made.exit_status, 0) << made.output;
  auto stranger = none;
  stranger.cert = base + ".crt";
  stranger.key = base + ".key";
  EXPECT_NE(MqttClient(stranger).connect(), kWelcome);
}

TEST_F(BrokerDeviceTest, ServersOwnCertificateIsNoDevice) {
  auto login = device_login("nobody");
  login.cert = (stack_->directory() / "ca" / "server.crt").string();
  login.key = (stack_->directory() / "ca" / "server.key").string();
  EXPECT_NE(MqttClient(login).connect(), kWelcome);
}

TEST_F(BrokerDeviceTest, RevokedDeviceIsRefusedAndTheOthersAreNot) {
  const auto lost = device_login("lost");
  const auto kept = device_login("kept");
  EXPECT_EQ(MqttClient(lost).connect(), kWelcome);
  stack_->revoke("lost");
  // The broker reads the list again on a signal; nobody can see when it has, so ask until the answer changes.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  int answer = kWelcome;
  while (answer == kWelcome && std::chrono::steady_clock::now() < deadline)
    answer = MqttClient(lost).connect();
  EXPECT_NE(answer, kWelcome);
  EXPECT_EQ(MqttClient(kept).connect(), kWelcome);
}

// ---- limits --------------------------------------------------------------------------------------

TEST_F(BrokerDeviceTest, OversizePacketEndsTheConnection) {
  for (const int version : {4, 5}) {
    auto login = device_login("heavy");
    login.version = version;
    const auto device = connected(login);
    EXPECT_TRUE(is_taken(device->publish(device_topic("heavy", "status"), std::string(60'000, 'x'))))
        << version;
    // A v5 client library may refuse by itself, because the broker has told it the limit.
    EXPECT_EQ(device->publish(device_topic("heavy", "status"), std::string(70'000, 'x')),
              MqttClient::kNoAnswer);
    if (version == 4) {
      EXPECT_TRUE(device->wait_for_disconnect());
    }
  }
}

// ---- endurance -----------------------------------------------------------------------------------

TEST_F(BrokerDeviceTest, ReconfiguredStackKeepsRevocationsOverARestart) {
  const auto gone = device_login("gone");
  stack_->revoke("gone");
  stack_->restart("mosquitto");
  EXPECT_NE(MqttClient(gone).connect(), kWelcome);
  EXPECT_EQ(MqttClient(device_login("here")).connect(), kWelcome);
}

}  // namespace
}  // namespace ota
