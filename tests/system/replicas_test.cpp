// Two bridges side by side on one broker and one database.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <fstream>

#include "tests/system/rollout_fixture.hpp"

namespace ota::system_test {
namespace {

// A second bridge with the first one's environment but a name and a port of its own. Ends with the test.
class SecondBridge {
 public:
  explicit SecondBridge(const Stack& stack) {
    std::ifstream file("/proc/" + std::to_string(stack.pid("bridge")) + "/environ");
    std::string variable;
    while (std::getline(file, variable, '\0')) {
      const bool is_own = variable.rfind("REPLICA=", 0) == 0 || variable.rfind("PORT=", 0) == 0;
      if (!is_own) environment_.push_back(variable);
    }
    environment_.insert(environment_.end(), {"REPLICA=second", "PORT=0"});
    std::string program = std::string(OTA_BINARY_DIR) + "/bridge/ota-bridge";
    std::vector<char*> variables;
    for (auto& text : environment_) variables.push_back(text.data());
    variables.push_back(nullptr);
    char* arguments[] = {program.data(), nullptr};
    if (posix_spawn(&pid_, program.c_str(), nullptr, nullptr, arguments, variables.data()) != 0) pid_ = -1;
  }
  ~SecondBridge() { end(SIGTERM); }
  SecondBridge(const SecondBridge&) = delete;
  SecondBridge& operator=(const SecondBridge&) = delete;

  void end(int signal) {
    if (pid_ < 0) return;
    ::kill(pid_, signal);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  std::vector<std::string> environment_;
  pid_t pid_ = -1;
};

class Replicas : public ::testing::Test {
 protected:
  // What a bridge says of itself, retained; null when it has said nothing in time.
  json service(const std::string& replica, bool leader) {
    MqttPeer monitor(stack_, "MONITOR");
    monitor.subscribe("ota/v1/service/" + replica);
    const auto said = monitor.wait_for([&](const MqttMessage& m) {
      return !m.payload.empty() && json::parse(m.payload).value("leader", false) == leader;
    });
    return said ? json::parse(said->payload) : json();
  }

  Stack stack_{{"postgres", "mosquitto", "bridge"}, {{"MQTT_SHARED_GROUP", "g"}, {"REPLICA", "first"}}};
  RestClient rest_{stack_};
  Database database_{stack_};
};

TEST_F(Replicas, ShareTheDevicesAndRecordEachResultOnce) {
  ASSERT_TRUE(service("first", true).is_object());
  SecondBridge second(stack_);
  ASSERT_TRUE(service("second", false).is_object()) << "the second one follows";
  rest_.release_to_all("1.1.0", "esp32", "image");
  for (int i = 0; i < 12; ++i) {
    HandPlayedDevice device(stack_, "dev-" + std::to_string(i));
    const auto offer = device.check("1.0.0");
    ASSERT_EQ(offer.value("latest_version", ""), "1.1.0") << i;
    for (const char* status : {"downloading", "installing", "success"}) {
      const json report = {
          {"firmware_version", "1.1.0"}, {"status", status}, {"attempt_id", offer["attempt_id"]}};
      EXPECT_EQ(device.report(report)["recorded"], true) << i << " " << status;
    }
  }
  EXPECT_EQ(database_.value("SELECT count(*) FROM device_update_status WHERE status = 'success'"), "12");
  EXPECT_EQ(database_.value("SELECT count(*) FROM ota_events WHERE event_type = 'update_completed'"), "12");
}

TEST_F(Replicas, RequestsRetainedWhileNobodyListenedMoveNothingAndAreCleared) {
  MqttPeer planter(stack_, "planted-1", stack_.enrol("planted-1"));
  database_.value(
      "INSERT INTO devices (device_id, device_model, current_firmware_version) "
      "VALUES ('planted-1', 'm', '1.0.0')");
  stack_.kill("bridge", SIGTERM);
  planter.publish("ota/v1/device/planted-1/check", R"({"device_model":"m","current_version":"1"})", true);
  planter.publish("ota/v1/device/planted-1/status", R"({"firmware_version":"1","status":"success"})", true);
  planter.publish("ota/v1/device/planted-1/presence",
                  R"({"online":true,"device_model":"m","current_version":"7"})", true);
  stack_.up();
  EXPECT_TRUE(eventually([&] {
    MqttPeer newcomer(stack_, "BRIDGE");
    newcomer.subscribe("ota/v1/device/planted-1/check");
    newcomer.subscribe("ota/v1/device/planted-1/status");
    return !newcomer.wait_for([](const MqttMessage& m) { return m.retained; }, 0,
                              std::chrono::milliseconds(200));
  }));
  EXPECT_TRUE(eventually([&] {
    return database_.value("SELECT online FROM devices WHERE device_id = 'planted-1'") == "t";
  })) << "a presence is told by being retained";
  EXPECT_EQ(database_.value("SELECT current_firmware_version FROM devices WHERE device_id = 'planted-1'"),
            "1.0.0");
}

TEST_F(Replicas, TheOtherOneGoesOnWhenTheLeaderIsKilled) {
  ASSERT_TRUE(service("first", true).is_object());
  SecondBridge second(stack_);
  ASSERT_TRUE(service("second", false).is_object());
  database_.value(
      "INSERT INTO devices (device_id, device_model, current_firmware_version, seen_on_mqtt) "
      "SELECT 'away-' || i, 'esp32', '1.0.0', true FROM generate_series(1, 2000) AS i");
  rest_.release_to_all("1.1.0", "esp32", "image");
  stack_.kill("bridge");
  EXPECT_TRUE(service("second", true).is_object());
  EXPECT_TRUE(eventually([&] {
    return database_.value(
               "SELECT count(*) FROM offers WHERE open AND wanted_revision = published_revision") == "2000";
  }));
  HandPlayedDevice device(stack_, "dev-1");
  EXPECT_EQ(device.check("1.0.0").value("latest_version", ""), "1.1.0");
}

}  // namespace
}  // namespace ota::system_test
