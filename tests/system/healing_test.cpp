// What the service survives: parts die, forget or come back with old things, and the truth in PostgreSQL
// prevails.
#include <gtest/gtest.h>

#include <csignal>
#include <iostream>

#include "tests/support/database.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/hand_played_device.hpp"
#include "tests/support/rest_client.hpp"
#include "tests/support/stack.hpp"

namespace ota {
namespace {

using nlohmann::json;
using test_support::Database;
using test_support::eventually;
using test_support::HandPlayedDevice;
using test_support::MqttMessage;
using test_support::MqttPeer;
using test_support::RestClient;
using test_support::Stack;

const std::string kImage(50000, 'y');

class Healing : public ::testing::Test {
 protected:
  // What a newcomer finds standing on a device's offer topic; empty when nothing.
  std::string standing(const std::string& device_id) {
    MqttPeer newcomer(stack_, "BRIDGE");
    newcomer.subscribe("ota/v1/device/" + device_id + "/offer");
    const auto found =
        newcomer.wait_for([](const MqttMessage& m) { return m.retained; }, 0, std::chrono::milliseconds(300));
    return found ? found->payload : "";
  }
  void TearDown() override {
    if (HasFailure()) std::cerr << stack_.log("bridge") << '\n';
  }
  bool is_healthy() { return RestClient(stack_).get("/health").status == 200; }

  Stack stack_{{"postgres", "mosquitto", "bridge"}};
  Database database_{stack_};
};

TEST_F(Healing, ClearedOfferStaysClearedAfterTheBrokerIsKilled) {
  RestClient rest(stack_);
  const auto id = rest.release_to_all("1.1.0", "esp32", kImage);
  {
    HandPlayedDevice device(stack_, "dev-1");
    ASSERT_EQ(device.check("1.0.0").value("latest_version", ""), "1.1.0");
    // Long enough for the broker's autosave to keep the offer, so that a kill resurrects it.
    ASSERT_TRUE(eventually([&] {
      return database_.value("SELECT now() > wanted_at + interval '6 seconds' FROM offers") == "t";
    }));
  }
  ASSERT_FALSE(standing("dev-1").empty());
  rest.post("/api/admin/rollout/" + std::to_string(id) + "/deactivate", json::object());
  ASSERT_TRUE(eventually([&] { return standing("dev-1").empty(); }));
  stack_.restart("mosquitto");
  // ./ota up is back once the bridge is connected again and has compared: nobody sees the old offer.
  EXPECT_EQ(rest.get("/health").json().value("mqtt", ""), "connected");
  EXPECT_EQ(standing("dev-1"), "");
}

// Mosquitto 2.0 ends an absent session once more at SIGHUP, and some connects later that costs it its life
// (docs/decisions/0011).
TEST_F(Healing, ABridgeThatDiesLeavesNoSessionOnTheBroker) {
  stack_.kill("bridge");
  const auto left = [&] {
    return stack_.log("mosquitto").find("ota-bridge-bridge closed") != std::string::npos;
  };
  ASSERT_TRUE(eventually(left));
  ASSERT_EQ(::kill(stack_.pid("mosquitto"), SIGHUP), 0);
  { const HandPlayedDevice after(stack_, "dev-1"); }
  EXPECT_EQ(stack_.log("mosquitto").find("ota-bridge-bridge disconnected"), std::string::npos);
}

TEST_F(Healing, OffersTheBrokerForgotAreRebuiltAndPlantedOnesCleared) {
  RestClient rest(stack_);
  rest.release_to_all("1.1.0", "esp32", kImage);
  {
    HandPlayedDevice device(stack_, "dev-1");
    ASSERT_EQ(device.check("1.0.0").value("latest_version", ""), "1.1.0");
    ASSERT_TRUE(eventually(
        [&] { return database_.value("SELECT published_revision = wanted_revision FROM offers") == "t"; }));
  }
  const auto before = standing("dev-1");
  stack_.kill("bridge");
  {
    MqttPeer intruder(stack_, "BRIDGE");
    intruder.publish("ota/v1/device/dev-1/offer", "", true);
    intruder.publish("ota/v1/device/ghost/offer", R"({"update_available":true,"attempt_id":1})", true);
  }
  stack_.up();
  EXPECT_TRUE(eventually([&] { return standing("dev-1") == before; }));
  EXPECT_TRUE(eventually([&] { return standing("ghost").empty(); }));
}

TEST_F(Healing, CrashBetweenCommitAndPublishHeals) {
  RestClient rest(stack_);
  rest.release_to_all("1.1.0", "esp32", kImage);
  {
    HandPlayedDevice device(stack_, "dev-1");
    ASSERT_EQ(device.check("1.0.0").value("latest_version", ""), "1.1.0");
  }
  stack_.kill("bridge");
  // As if the bridge had committed the device's taking of the offer and died before clearing it.
  database_.value(
      "UPDATE offers SET taken = true, wanted_revision = wanted_revision + 1, wanted_at = now() - interval "
      "'1 minute'");
  ASSERT_FALSE(standing("dev-1").empty());
  stack_.up();
  EXPECT_TRUE(eventually([&] { return standing("dev-1").empty(); }));
  EXPECT_TRUE(eventually(
      [&] { return database_.value("SELECT published_revision = wanted_revision FROM offers") == "t"; }));
}

TEST_F(Healing, RolloutCreatedWhileTheBridgeWasDownIsPushedWhenItIsBack) {
  RestClient rest(stack_);
  ASSERT_EQ(rest.upload("1.1.0", "esp32", kImage).status, 200);
  HandPlayedDevice device(stack_, "dev-1");
  ASSERT_EQ(device.check("1.0.0")["update_available"], false);
  stack_.kill("bridge");
  const auto from = device.mqtt().received();
  database_.value(
      "INSERT INTO rollout_configurations (name, firmware_version, device_model, target_type) "
      "VALUES ('r', '1.1.0', 'esp32', 'all')");
  stack_.up();
  EXPECT_EQ(device.offer_after(from).value("latest_version", ""), "1.1.0");
}

TEST_F(Healing, PostgresAwayIsSaidAndEndsByItself) {
  RestClient rest(stack_);
  HandPlayedDevice device(stack_, "dev-1");
  device.check("1.0.0");
  stack_.kill("postgres");
  EXPECT_TRUE(eventually([&] { return rest.get("/health").status == 503; }));
  // A writer's own backend may outlive the killed postmaster for a moment.
  EXPECT_TRUE(eventually([&] {
    return rest.get("/api/firmware/check?device_id=a&device_model=esp32&current_version=1").status == 503;
  }));
  const auto from = device.mqtt().received();
  EXPECT_TRUE(
      device
          .report({{"firmware_version", "1.1.0"}, {"status", "downloading"}}, std::chrono::milliseconds(1000))
          .is_null());
  stack_.up();
  EXPECT_TRUE(is_healthy()) << "./ota up waits for the bridge to find PostgreSQL again";
  EXPECT_EQ(device.ack_of("r1", from, std::chrono::seconds(20))["recorded"], true)
      << "what the broker had delivered waits in the inbox";
}

// Mosquitto since 2.0.12 queues nothing for an absent client where listeners have settings of their own, so
// the promise rests on what the contract asks of devices: a final result is sent again until it is
// acknowledged.
TEST_F(Healing, ResultSentWhileTheBridgeIsDownIsRecordedOnceItIsBack) {
  HandPlayedDevice device(stack_, "dev-1");
  device.check("1.0.0");
  stack_.kill("bridge");
  const json result = {{"firmware_version", "1.1.0"}, {"status", "failed"}};
  EXPECT_TRUE(device.report(result, std::chrono::milliseconds(200)).is_null());
  stack_.up();
  EXPECT_TRUE(eventually([&] {
    const auto ack = device.report(result, std::chrono::seconds(1));
    return ack.is_object() && ack["recorded"] == true;
  }));
  device.report(result);
  EXPECT_EQ(database_.value("SELECT count(*) FROM ota_events WHERE event_type = 'update_failed'"), "1");
}

TEST_F(Healing, BrokerAwayLeavesRestWorking) {
  RestClient rest(stack_);
  stack_.kill("mosquitto");
  EXPECT_TRUE(eventually([&] { return rest.get("/health").json().value("mqtt", "") == "disconnected"; }));
  EXPECT_EQ(rest.get("/health").status, 200);
  EXPECT_EQ(rest.get("/api/firmware/check?device_id=a&device_model=esp32&current_version=1").status, 200);
  stack_.up();
  EXPECT_EQ(rest.get("/health").json().value("mqtt", ""), "connected");
}

}  // namespace
}  // namespace ota
