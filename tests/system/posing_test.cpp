// One device that poses as another, and one that listens to everything: it reads nothing, records nothing,
// and the other stays connected. tests/system/broker_device_test.cpp shows the single rules of the broker.
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
using test_support::Enrolment;
using test_support::eventually;
using test_support::HandPlayedDevice;
using test_support::MqttClient;
using test_support::MqttLogin;
using test_support::RestClient;
using test_support::Stack;

std::string topic_of(const std::string& id, const std::string& kind) {
  return "ota/v1/device/" + id + "/" + kind;
}

class Posing : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { stack_ = new Stack({"postgres", "mosquitto", "bridge"}); }
  static void TearDownTestSuite() {
    delete stack_;
    stack_ = nullptr;
  }
  /// `id`'s certificate, under another's client id, with a last will on the other's presence.
  static MqttLogin posing_login(const std::string& id, const std::string& as) {
    const auto enrolment = stack_->enrol(id);
    MqttLogin login;
    login.port = stack_->port("MQTTS_PORT");
    login.client_id = as;
    login.ca = enrolment.ca;
    login.cert = enrolment.cert;
    login.key = enrolment.key;
    login.will_topic = topic_of(as, "presence");
    login.will_payload = R"({"online":false})";
    return login;
  }
  std::string rows_of(const std::string& id) {
    return database_.value("SELECT (SELECT count(*) FROM device_update_status WHERE device_id = '" + id +
                           "') + (SELECT count(*) FROM ota_events WHERE device_id = '" + id + "')");
  }

  static Stack* stack_;
  RestClient rest_{*stack_};
  Database database_{*stack_};
};

Stack* Posing::stack_ = nullptr;

TEST_F(Posing, UnderAnothersClientIdItReadsAndRecordsNothingAndTheOtherStaysConnected) {
  rest_.release_to_all("1.1.0", "m-posing", std::string(5000, 'x'));
  HandPlayedDevice victim(*stack_, "victim-1", "m-posing");
  const auto offer = victim.check("1.0.0");
  ASSERT_EQ(offer.value("latest_version", ""), "1.1.0");
  victim.mqtt().publish(victim.topic("presence"), R"({"online":true})", true);
  ASSERT_TRUE(eventually(
      [&] { return database_.value("SELECT online FROM devices WHERE device_id = 'victim-1'") == "t"; }));
  const auto rows_before = rows_of("victim-1");
  const auto seen_before = database_.value("SELECT last_seen FROM devices WHERE device_id = 'victim-1'");

  {
    MqttClient thief(posing_login("thief-1", "victim-1"));
    ASSERT_EQ(thief.connect(), 0);
    for (const auto* kind : {"offer", "ack", "block", "check", "status"})
      thief.subscribe(topic_of("victim-1", kind));
    thief.subscribe(topic_of("victim-1", "#"));
    thief.subscribe("#");
    for (const bool retain : {false, true}) {
      thief.publish(topic_of("victim-1", "check"), R"({"device_model":"other","current_version":"9"})",
                    retain);
      thief.publish(topic_of("victim-1", "status"),
                    R"({"firmware_version":"1.1.0","status":"success","report_id":"t"})", retain);
      thief.publish(topic_of("victim-1", "presence"), R"({"online":false})", retain);
      thief.publish(topic_of("victim-1", "offer"), R"({"update_available":true})", retain);
      thief.publish(topic_of("victim-1", "ack"), R"({"report_id":"r1","recorded":true})", retain);
    }
    // Its own way stands open, and is the last of what it sends: when this is recorded, nothing else was.
    thief.publish(topic_of("thief-1", "check"), R"({"device_model":"m-thief","current_version":"1.0.0"})");
    const auto own = thief.next();
    ASSERT_TRUE(own);
    EXPECT_EQ(own->topic, topic_of("thief-1", "offer")) << "nothing of another's came before";
    EXPECT_FALSE(thief.next(std::chrono::milliseconds(500)));
    // A second connection takes the first one's place, and the broker sends the first one's will.
    MqttClient again(posing_login("thief-1", "victim-1"));
    ASSERT_EQ(again.connect(), 0);
    EXPECT_TRUE(thief.wait_for_disconnect());
  }

  EXPECT_EQ(rows_of("victim-1"), rows_before);
  EXPECT_EQ(database_.value("SELECT last_seen FROM devices WHERE device_id = 'victim-1'"), seen_before);
  EXPECT_EQ(database_.value("SELECT online FROM devices WHERE device_id = 'victim-1'"), "t");
  EXPECT_EQ(database_.value("SELECT device_model FROM devices WHERE device_id = 'victim-1'"), "m-posing");
  // On the connection it has had all along.
  EXPECT_EQ(victim.report({{"firmware_version", "1.1.0"}, {"status", "downloading"}})["recorded"], true);
  EXPECT_EQ(victim.check("1.0.0").value("attempt_id", 0), offer["attempt_id"]);
}

TEST_F(Posing, AStatusOnOnesOwnTopicInAnothersNameIsRefused) {
  HandPlayedDevice other(*stack_, "other-1", "m-own");
  other.check("1.0.0");
  HandPlayedDevice thief(*stack_, "thief-2", "m-own");
  thief.check("1.0.0");
  const auto before = rows_of("other-1");
  const auto ack =
      thief.report({{"device_id", "other-1"}, {"firmware_version", "1.1.0"}, {"status", "success"}});
  EXPECT_EQ(ack.value("recorded", true), false);
  EXPECT_NE(ack.value("reason", "").find("device_id 'other-1'"), std::string::npos) << ack;
  const auto over_rest =
      rest_.post("/api/device/thief-2/update-status",
                 {{"device_id", "other-1"}, {"firmware_version", "1.1.0"}, {"status", "success"}});
  EXPECT_EQ(over_rest.status, 422) << over_rest.body;
  EXPECT_EQ(rows_of("other-1"), before);
}

TEST_F(Posing, AReportThatNamesAnotherDevicesAttemptIsOfTheReporterAlone) {
  rest_.release_to_all("1.1.0", "m-attempt", std::string(5000, 'x'));
  HandPlayedDevice owner(*stack_, "owner-1", "m-attempt");
  const auto attempt = owner.check("1.0.0")["attempt_id"];
  ASSERT_TRUE(attempt.is_number());
  HandPlayedDevice thief(*stack_, "thief-3", "m-attempt");
  const auto own = thief.check("1.0.0")["attempt_id"];
  const json report = {{"firmware_version", "1.1.0"}, {"status", "failed"}, {"attempt_id", attempt}};
  const auto expect_untouched = [&] {
    const auto before = rows_of("owner-1");
    // As a report that names no attempt, filed as one of the thief's own.
    EXPECT_EQ(thief.report(report).value("recorded", false), true);
    EXPECT_EQ(rest_.post("/api/device/thief-3/update-status", report).status, 200);
    EXPECT_EQ(rows_of("owner-1"), before);
  };
  expect_untouched();
  // An attempt has a row of its own only from its first report on.
  ASSERT_EQ(owner.report({{"firmware_version", "1.1.0"}, {"status", "downloading"}})["recorded"], true);
  expect_untouched();
  EXPECT_EQ(
      database_.value("SELECT device_id || ' ' || status FROM device_update_status WHERE attempt_id = " +
                      attempt.dump()),
      "owner-1 downloading");
  EXPECT_EQ(owner.check("1.0.0").value("attempt_id", json()), attempt) << "its offer stands as before";
  EXPECT_EQ(thief.check("1.0.0").value("attempt_id", json()), own);
  EXPECT_EQ(database_.value("SELECT count(*) FROM device_update_status WHERE device_id = 'thief-3'"), "1");
}

TEST_F(Posing, WhoSubscribesToEverythingHearsOnlyWhatIsForIt) {
  auto login = posing_login("curious-1", "curious-1");
  login.will_topic.clear();
  MqttClient curious(login);
  ASSERT_EQ(curious.connect(), 0);
  for (const auto* filter : {"#", "$SYS/#", "+/#", "ota/v1/device/+/offer", "ota/v1/device/+/status",
                             "$share/g/ota/v1/device/+/check", "$share/g/#"}) {
    curious.subscribe(filter);
  }
  // The others' whole traffic, and the service's own words.
  rest_.release_to_all("1.1.0", "m-talk", std::string(5000, 'x'));
  HandPlayedDevice talker(*stack_, "talker-1", "m-talk");
  talker.check("1.0.0");
  talker.report({{"firmware_version", "1.1.0"}, {"status", "downloading"}});
  curious.publish(topic_of("curious-1", "check"), R"({"device_model":"m","current_version":"1"})");
  // The broker's own figures would come every 5 s. Each matching filter may bring a copy of what is for it.
  int heard = 0;
  while (const auto message = curious.next(std::chrono::seconds(6))) {
    EXPECT_EQ(message->topic, topic_of("curious-1", "offer"));
    ++heard;
  }
  EXPECT_GE(heard, 1);
}

}  // namespace
}  // namespace ota
