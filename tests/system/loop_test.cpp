// The whole loop on real Mosquitto with mutual TLS, real PostgreSQL and the real bridge.
#include <gtest/gtest.h>

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
using test_support::run_command;
using test_support::Stack;

const std::string kImage(100000, 'x');

class Loop : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { stack_ = new Stack({"postgres", "mosquitto", "bridge"}); }
  static void TearDownTestSuite() {
    delete stack_;
    stack_ = nullptr;
  }
  // What a newcomer to the broker finds standing on a topic.
  std::string standing(const std::string& device_id) {
    MqttPeer bridge_user(*stack_, "BRIDGE");
    bridge_user.subscribe("ota/v1/device/" + device_id + "/offer");
    bridge_user.publish("ota/v1/service/marker", "m" + device_id);
    const auto found = bridge_user.wait_for([](const MqttMessage& m) { return m.retained; }, 0,
                                            std::chrono::milliseconds(300));
    return found ? found->payload : "";
  }

  static Stack* stack_;
  RestClient rest_{*stack_};
  Database database_{*stack_};
};

Stack* Loop::stack_ = nullptr;

TEST_F(Loop, DeviceOverMqttIsOfferedReportsAndCompletes) {
  rest_.release_to_all("1.1.0", "m-loop", kImage);
  HandPlayedDevice device(*stack_, "loop-1", "m-loop");
  const auto offer = device.check("1.0.0");
  ASSERT_EQ(offer.value("latest_version", ""), "1.1.0") << offer;
  EXPECT_EQ(offer["file_size"], kImage.size());
  EXPECT_EQ(rest_.get("/api/firmware/download/1.1.0?device_model=m-loop").body, kImage);
  EXPECT_FALSE(standing("loop-1").empty());

  const json report = {{"firmware_version", "1.1.0"}, {"attempt_id", offer["attempt_id"]}};
  auto downloading = report;
  downloading.update({{"status", "downloading"}, {"progress_percent", 50}});
  EXPECT_EQ(device.report(downloading)["recorded"], true);
  EXPECT_TRUE(eventually([&] { return standing("loop-1").empty(); })) << "a taken offer stands no more";
  auto installing = report;
  installing["status"] = "installing";
  EXPECT_EQ(device.report(installing)["recorded"], true);
  const auto answer = device.check("1.1.0", "b2");
  EXPECT_EQ(answer["update_available"], false) << answer;

  const auto updates = rest_.get("/api/admin/update-status?device_id=loop-1").json()["updates"];
  ASSERT_EQ(updates.size(), 1U);
  EXPECT_EQ(updates[0]["status"], "success");
  EXPECT_EQ(database_.value(
                "SELECT string_agg(event_type, ',' ORDER BY id) FROM ota_events WHERE device_id = 'loop-1'"),
            "certificate_issued,update_started,update_completed");
}

TEST_F(Loop, PollingDeviceTakesTheSameWay) {
  rest_.release_to_all("2.0.0", "m-rest", kImage);
  const auto path = "/api/firmware/check?device_id=rest-1&device_model=m-rest&current_version=1.0.0";
  const auto offer = rest_.get(path).json();
  EXPECT_EQ(offer["update_available"], true);
  EXPECT_EQ(offer["download_url"], "/api/firmware/download/2.0.0");
  EXPECT_EQ(
      rest_.post("/api/device/rest-1/update-status", {{"firmware_version", "2.0.0"}, {"status", "success"}})
          .status,
      200);
  EXPECT_EQ(rest_.get(path).json()["update_available"], true) << "it says it runs 1.0.0 again";
  const auto devices = rest_.get("/api/admin/devices?device_model=m-rest").json()["devices"];
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(database_.value("SELECT count(*) FROM device_update_status WHERE device_id = 'rest-1'"), "1");
}

TEST_F(Loop, SimulatedDevicesOfBothWorldsUpdateThemselves) {
  rest_.release_to_all("1.1.0", "m-sim", kImage);
  const auto enrolment = stack_->enrol("sim-1");
  const std::string program = std::string(OTA_BINARY_DIR) + "/esp-client/ota-device";
  const auto state = (stack_->directory() / "sim").string();
  const auto mqtt = run_command({program,
                                 "--id",
                                 "sim-1",
                                 "--model",
                                 "m-sim",
                                 "--version",
                                 "1.0.0",
                                 "--mqtt",
                                 stack_->env("MQTT_HOST") + ":" + stack_->env("MQTTS_PORT"),
                                 "--ca",
                                 enrolment.ca,
                                 "--cert",
                                 enrolment.cert,
                                 "--key",
                                 enrolment.key,
                                 "--http",
                                 stack_->env("OTA_URL"),
                                 "--state",
                                 state,
                                 "--once",
                                 "--timeout-s",
                                 "60"});
  EXPECT_EQ(mqtt.exit_status, 0) << mqtt.output;
  const auto rest = run_command({program, "--id", "sim-2", "--model", "m-sim", "--version", "1.0.0", "--rest",
                                 stack_->env("OTA_URL"), "--state", state, "--once", "--timeout-s", "60"});
  EXPECT_EQ(rest.exit_status, 0) << rest.output;
  EXPECT_EQ(
      database_.value(
          "SELECT count(*) FROM device_update_status WHERE device_id LIKE 'sim-%' AND status = 'success'"),
      "2");
  EXPECT_EQ(
      database_.value(
          "SELECT count(*) FROM devices WHERE device_id LIKE 'sim-%' AND current_firmware_version = '1.1.0'"),
      "2");
}

TEST_F(Loop, NewRolloutIsPushedWithoutBeingAskedFor) {
  HandPlayedDevice device(*stack_, "push-1", "m-push");
  EXPECT_EQ(device.check("1.0.0")["update_available"], false);
  const auto from = device.mqtt().received();
  const auto id = rest_.release_to_all("1.1.0", "m-push", kImage);
  EXPECT_EQ(device.offer_after(from).value("latest_version", ""), "1.1.0");

  EXPECT_EQ(rest_.post("/api/admin/rollout/" + std::to_string(id) + "/deactivate", json::object()).status,
            200);
  EXPECT_TRUE(device.mqtt().wait_for(
      [&](const MqttMessage& m) { return m.topic == device.topic("offer") && m.payload.empty(); }, from))
      << "an untaken offer is cleared when its rollout ends";
  EXPECT_TRUE(device.mqtt().wait_for(
      [](const MqttMessage& m) { return m.payload.find("\"withdrawn\"") != std::string::npos; }, from));
  EXPECT_EQ(device.check("1.0.0")["update_available"], false);
}

TEST_F(Loop, ADeletedDevicesOfferIsClearedAndTheDeviceMayComeBack) {
  rest_.release_to_all("1.1.0", "m-gone", kImage);
  EXPECT_EQ(HandPlayedDevice(*stack_, "gone-1", "m-gone").check("1.0.0").value("latest_version", ""),
            "1.1.0");
  ASSERT_FALSE(standing("gone-1").empty());
  ASSERT_EQ(rest_.erase("/api/admin/devices/gone-1").status, 200);
  EXPECT_TRUE(eventually([&] { return standing("gone-1").empty(); }));
  ASSERT_TRUE(eventually(
      [&] { return database_.value("SELECT count(*) FROM device_cuts WHERE device_id = 'gone-1'") == "0"; }));
  EXPECT_EQ(HandPlayedDevice(*stack_, "gone-1", "m-gone").check("1.0.0").value("latest_version", ""),
            "1.1.0");
}

TEST_F(Loop, RolloutChangedByPsqlIsNoticed) {
  HandPlayedDevice device(*stack_, "psql-1", "m-psql");
  EXPECT_EQ(device.check("1.0.0")["update_available"], false);
  ASSERT_EQ(rest_.upload("1.1.0", "m-psql", kImage).status, 200);
  const auto from = device.mqtt().received();
  database_.value(
      "INSERT INTO rollout_configurations (name, firmware_version, device_model, target_type) "
      "VALUES ('by hand', '1.1.0', 'm-psql', 'all')");
  EXPECT_EQ(device.offer_after(from).value("latest_version", ""), "1.1.0");
  database_.value("UPDATE rollout_configurations SET is_active = false WHERE name = 'by hand'");
  EXPECT_TRUE(device.mqtt().wait_for(
      [&](const MqttMessage& m) { return m.topic == device.topic("offer") && m.payload.empty(); }, from));
  EXPECT_EQ(device.check("1.0.0")["reason"], "rollout 'by hand' is paused");
}

TEST_F(Loop, NoAckLeavesBeforeTheCommit) {
  HandPlayedDevice device(*stack_, "lock-1", "m-lock");
  device.check("1.0.0");
  Database other(*stack_);
  other.begin("LOCK TABLE devices, device_update_status IN ACCESS EXCLUSIVE MODE");
  const auto from = device.mqtt().received();
  EXPECT_TRUE(
      device
          .report({{"firmware_version", "1.1.0"}, {"status", "downloading"}}, std::chrono::milliseconds(1500))
          .is_null());
  other.end();
  EXPECT_EQ(device.ack_of("r1", from, std::chrono::seconds(30))["recorded"], true);
}

TEST_F(Loop, ALockedRowHoldsUpItsDeviceAlone) {
  HandPlayedDevice locked(*stack_, "row-1", "m-row");
  HandPlayedDevice other(*stack_, "row-2", "m-row");
  locked.check("1.0.0");
  other.check("1.0.0");
  Database psql(*stack_);
  psql.begin("SELECT FROM devices WHERE device_id = 'row-1' FOR UPDATE");
  const json downloading = {{"firmware_version", "1.1.0"}, {"status", "downloading"}};
  const auto from = locked.mqtt().received();
  EXPECT_TRUE(locked.report(downloading, std::chrono::milliseconds(100)).is_null());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(other.report(downloading)["recorded"], true);
  psql.end();
  EXPECT_EQ(locked.ack_of("r1", from, std::chrono::seconds(30))["recorded"], true);
}

TEST_F(Loop, WrongMessagesAreAnsweredAndHarmNobody) {
  HandPlayedDevice device(*stack_, "bad-1", "m-bad");
  for (const std::string payload : {"", "{", "[]", "\xff\xfe", "{\"device_model\":5}",
                                    "{\"device_model\":\"a/b\",\"current_version\":\"1\"}"}) {
    const auto from = device.mqtt().received();
    device.mqtt().publish(device.topic("check"), payload);
    const auto answer = device.offer_after(from);
    EXPECT_EQ(answer.value("update_available", true), false) << payload;
    EXPECT_FALSE(answer.value("reason", "").empty()) << payload;
  }
  const auto refused = device.report({{"firmware_version", "1.1.0"}, {"status", "done"}});
  EXPECT_EQ(refused["recorded"], false);
  EXPECT_NE(refused.value("reason", "").find("status must be one of"), std::string::npos);
  for (const std::string payload : {"", "{", "[]", R"({"report_id":5,"status":"success"})"}) {
    const auto from = device.mqtt().received();
    device.mqtt().publish(device.topic("status"), payload);
    const auto ack =
        device.mqtt().wait_for([&](const auto& m) { return m.topic == device.topic("ack"); }, from);
    ASSERT_TRUE(ack) << payload;
    const auto told = json::parse(ack->payload);
    EXPECT_EQ(told.value("recorded", true), false) << payload;
    EXPECT_FALSE(told.value("reason", "").empty()) << payload;
    EXPECT_FALSE(told.contains("report_id")) << payload;
  }
  const auto foreign =
      device.report({{"firmware_version", "1.1.0"}, {"status", "success"}, {"attempt_id", 999999999}});
  EXPECT_EQ(foreign["recorded"], false);
  EXPECT_EQ(device.check("1.0.0")["update_available"], false);
}

TEST_F(Loop, PlantedRetainedCheckMovesNothingAndIsCleared) {
  const std::string topic = "ota/v1/device/planted-1/check";
  MqttPeer planter(*stack_, "planted-1", stack_->enrol("planted-1"));
  stack_->kill("bridge", SIGTERM);
  planter.publish(topic, R"({"device_model":"m","current_version":"1","boot_id":"planted"})", true);
  stack_->up();
  MqttPeer reader(*stack_, "BRIDGE");
  EXPECT_TRUE(eventually([&] {
    MqttPeer newcomer(*stack_, "BRIDGE");
    newcomer.subscribe(topic);
    return !newcomer.wait_for([](const MqttMessage& m) { return m.retained; }, 0,
                              std::chrono::milliseconds(200));
  }));
  // Messages of a device keep their order: with a live one recorded, the planted one would be, too.
  planter.publish(topic, R"({"device_model":"m","current_version":"2"})");
  EXPECT_TRUE(eventually([&] {
    return database_.value("SELECT current_firmware_version FROM devices WHERE device_id = 'planted-1'") ==
           "2";
  }));
  EXPECT_EQ(database_.value("SELECT boot_id FROM devices WHERE device_id = 'planted-1'"), "");
}

TEST_F(Loop, RequestsSentWithTheRetainFlagAreRefusedToldAndCleared) {
  HandPlayedDevice device(*stack_, "retains-1", "m");
  device.check("1.0.0");
  for (const auto& [kind, answer_kind] : {std::pair{"check", "offer"}, {"status", "ack"}}) {
    const auto asked = device.topic(kind);
    const auto answered = device.topic(answer_kind);
    const auto from = device.mqtt().received();
    device.mqtt().publish(
        asked,
        R"({"device_model":"m","current_version":"9.9.9","firmware_version":"9.9.9","status":"success"})",
        true);
    const auto told = device.mqtt().wait_for([&](const MqttMessage& m) { return m.topic == answered; }, from);
    ASSERT_TRUE(told) << asked;
    EXPECT_NE(told->payload.find("retain flag"), std::string::npos) << told->payload;
    EXPECT_TRUE(eventually([&] {
      MqttPeer newcomer(*stack_, "BRIDGE");
      newcomer.subscribe(asked);
      return !newcomer.wait_for([](const MqttMessage& m) { return m.retained; }, 0,
                                std::chrono::milliseconds(200));
    })) << asked;
  }
  EXPECT_EQ(database_.value("SELECT current_firmware_version FROM devices WHERE device_id = 'retains-1'"),
            "1.0.0");
}

TEST_F(Loop, MonitorsSeeServiceSummaryRolloutAndEvents) {
  MqttPeer monitor(*stack_, "MONITOR");
  monitor.subscribe("ota/v1/#");
  const auto id = rest_.release_to_all("1.1.0", "m-monitor", kImage);
  const auto saw = [&](const std::string& topic, const std::string& part) {
    return monitor
        .wait_for([&](const MqttMessage& m) {
          return m.topic == topic && m.payload.find(part) != std::string::npos;
        })
        .has_value();
  };
  EXPECT_TRUE(saw("ota/v1/service/bridge", "\"online\":true"));
  EXPECT_TRUE(saw("ota/v1/fleet/rollout/" + std::to_string(id), "\"state\":\"running\""));
  EXPECT_TRUE(saw("ota/v1/fleet/event", "rollout_created"));
  HandPlayedDevice device(*stack_, "seen-1", "m-monitor");
  device.check("1.0.0");
  device.report({{"firmware_version", "1.1.0"}, {"status", "failed"}, {"error_message", "no room"}});
  EXPECT_TRUE(saw("ota/v1/fleet/event", "no room"));
  EXPECT_TRUE(saw("ota/v1/fleet/rollout/" + std::to_string(id), "\"failed\":1"));
  EXPECT_TRUE(saw("ota/v1/fleet/summary", "\"m-monitor\":1"));
  EXPECT_FALSE(
      monitor.wait_for([](const MqttMessage& m) { return m.topic.find("/device/") != std::string::npos; }, 0,
                       std::chrono::milliseconds(100)))
      << "monitors read no device topic";
}

TEST_F(Loop, PresenceFollowsTheLastWill) {
  const auto online = [&] {
    return database_.value("SELECT online FROM devices WHERE device_id = 'will-1'");
  };
  HandPlayedDevice device(*stack_, "will-1", "m-will");
  device.check("1.0.0");
  EXPECT_EQ(online(), "f") << "a check says nothing about staying";
  for (const char* leaving : {R"({"online":false})", ""}) {
    device.mqtt().publish(device.topic("presence"), R"({"online":true})", true);
    EXPECT_TRUE(eventually([&] { return online() == "t"; }));
    device.mqtt().publish(device.topic("presence"), leaving, true);
    EXPECT_TRUE(eventually([&] { return online() == "f"; })) << leaving;
  }
}

}  // namespace
}  // namespace ota
