#pragma once

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/support/database.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/hand_played_device.hpp"
#include "tests/support/rest_client.hpp"
#include "tests/support/stack.hpp"

namespace ota::system_test {

using nlohmann::json;
using test_support::Database;
using test_support::eventually;
using test_support::HandPlayedDevice;
using test_support::MqttMessage;
using test_support::MqttPeer;
using test_support::RestClient;
using test_support::Stack;

/// Devices that poll REST, each played by a line of the test.
class Pollers {
 public:
  Pollers(RestClient& rest, std::string model, int count) : rest_(rest), model_(std::move(model)) {
    for (int i = 0; i < count; ++i) versions_["p" + model_ + "-" + std::to_string(i)] = "1.0.0";
  }

  /// One round: every device asks; the answer is how many were offered an update. Each of them reports
  /// `status` and, where that is success, runs the new version from then on.
  int ask_all(const std::string& status = "success") {
    int offered = 0;
    for (auto& [id, version] : versions_) {
      const auto answer = check(id);
      if (!answer.value("update_available", false)) continue;
      ++offered;
      report(id, answer, status);
    }
    return offered;
  }
  json check(const std::string& id) {
    return rest_
        .get("/api/firmware/check?manifest=1&device_id=" + id + "&device_model=" + model_ +
             "&current_version=" + versions_.at(id))
        .json();
  }
  void report(const std::string& id, const json& offer, const std::string& status) {
    const auto version = offer.value("latest_version", "");
    const auto answer =
        rest_.post("/api/device/" + id + "/update-status",
                   {{"firmware_version", version}, {"status", status}, {"attempt_id", offer["attempt_id"]}});
    EXPECT_EQ(answer.status, 200) << answer.body;
    if (status == "success") versions_[id] = version;
  }
  [[nodiscard]] int count_at(const std::string& version) const {
    int count = 0;
    for (const auto& [id, runs] : versions_) count += runs == version ? 1 : 0;
    return count;
  }
  [[nodiscard]] std::vector<std::string> ids() const {
    std::vector<std::string> ids;
    for (const auto& [id, version] : versions_) ids.push_back(id);
    return ids;
  }

 private:
  RestClient& rest_;
  std::string model_;
  std::map<std::string, std::string> versions_;
};

/// Tests of rollouts share a stack; each has a model of its own, so they do not meet.
class Rollouts : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { stack_ = new Stack({"postgres", "mosquitto", "bridge"}); }
  static void TearDownTestSuite() {
    delete stack_;
    stack_ = nullptr;
  }

  Rollouts() {
    EXPECT_EQ(rest_.upload("1.0.0", model_, "old image of " + model_).status, 200);
    EXPECT_EQ(rest_.upload("1.1.0", model_, "new image of " + model_).status, 200);
  }

  /// Creates a rollout of 1.1.0 to all with `more` members; answers its id.
  std::int64_t create(json more = json::object()) {
    json body = {{"name", "rollout of " + model_ + " " + std::to_string(++created_)},
                 {"firmware_version", "1.1.0"},
                 {"device_model", model_},
                 {"target_type", "all"}};
    body.update(more);
    const auto answer = rest_.post("/api/admin/rollout/create", body);
    EXPECT_LT(answer.status, 300) << answer.body;
    return answer.json().value("id", std::int64_t{0});
  }
  test_support::RestAnswer order(std::int64_t id, const std::string& what,
                                 const json& body = json::object()) {
    return rest_.post("/api/admin/rollout/" + std::to_string(id) + "/" + what, body);
  }
  json show(std::int64_t id) { return rest_.get("/api/admin/rollout/" + std::to_string(id)).json(); }
  bool becomes(std::int64_t id, const std::string& state) {
    return eventually([&] { return show(id).value("state", "") == state; });
  }
  /// Devices that were seen on MQTT and are away now, made by SQL.
  void add_away_devices(int count) {
    database_.value(
        "INSERT INTO devices (device_id, device_model, current_firmware_version, seen_on_mqtt) SELECT 'a" +
        model_ + "-' || i, '" + model_ + "', '1.0.0', true FROM generate_series(1, " + std::to_string(count) +
        ") AS i");
  }
  int standing_offers() {
    return std::stoi(
        database_.value("SELECT count(*) FROM offers o JOIN devices d USING (device_id) WHERE o.open AND "
                        "NOT o.taken AND d.device_model = '" +
                        model_ + "'"));
  }
  /// One of the devices with a standing offer of the rollout reports success.
  void finish_one_of(std::int64_t id) {
    const auto device = database_.value(
        "SELECT device_id FROM offers WHERE open AND NOT taken AND rollout_id = " + std::to_string(id) +
        " ORDER BY device_id LIMIT 1");
    const auto body = json{{"firmware_version", "1.1.0"}, {"status", "success"}};
    EXPECT_EQ(rest_.post("/api/device/" + device + "/update-status", body).status, 200);
  }

  inline static Stack* stack_ = nullptr;
  std::string model_ = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  RestClient rest_{*stack_};
  Database database_{*stack_};
  int created_ = 0;
};

}  // namespace ota::system_test
