#include <nlohmann/json.hpp>

#include "tests/unit/http/server_fixture.hpp"

namespace ota::tests {
namespace {

using nlohmann::json;

class DeviceAdmin : public ServerTest {
 protected:
  DeviceAdmin() {
    devices_.devices = {device("esp32_001", "1.0.0")};  // bucket 69
    auto canary = rollout(2, "1.2.0");
    canary.target.type = fleet::TargetType::canary;
    canary.target.percentage = 10;
    catalogs_.set(fleet::Catalog({release(1, "1.1.0"), release(2, "1.2.0")}, {rollout(1, "1.1.0"), canary}));
  }
  Reply send(const std::string& method, const std::string& target, const std::string& body = {}) {
    Headers headers = {{"X-API-Key", kKey}};
    if (!body.empty()) headers["Content-Type"] = "application/json";
    return call(port(), method, target, headers, body);
  }
};

TEST_F(DeviceAdmin, ShowsADevice) {
  const auto shown = json::parse(get_as_admin("/api/admin/devices/esp32_001").body);
  EXPECT_EQ(shown.at("current_firmware_version"), "1.0.0");
  EXPECT_EQ(shown.at("hold"), false);
  EXPECT_TRUE(shown.at("attempts").empty());
  EXPECT_EQ(get_as_admin("/api/admin/devices/nobody").status, 404);
  EXPECT_EQ(get_as_admin("/api/admin/devices/a%20b").status, 422);
}

TEST_F(DeviceAdmin, ExplainsWhichRuleDecided) {
  const auto why = json::parse(get_as_admin("/api/admin/devices/esp32_001/explain").body);
  EXPECT_EQ(why.at("version"), "1.1.0");
  ASSERT_EQ(why.at("looked_at").size(), 2U);
  EXPECT_EQ(why.at("looked_at")[0].at("bucket"), 69);
  EXPECT_EQ(why.at("looked_at")[0].at("percentage"), 10);
  EXPECT_EQ(why.at("looked_at")[0].at("rule"), "bucket is not below the percentage");
  EXPECT_EQ(why.at("looked_at")[1].at("included"), true);
  devices_.devices[0].hold = true;
  EXPECT_EQ(json::parse(get_as_admin("/api/admin/devices/esp32_001/explain").body).at("reason"), "on_hold");
}

TEST_F(DeviceAdmin, APatchIsFollowedByANewDecision) {
  const auto done = send("PATCH", "/api/admin/devices/esp32_001",
                         R"({"groups":["beta"],"pinned_version":"1.1.0","hold":true,"mac":"aabbccddeeff"})");
  EXPECT_EQ(done.status, 200) << done.body;
  EXPECT_EQ(devices_.patched.groups, std::vector<std::string>{"beta"});
  EXPECT_EQ(devices_.patched.mac, "AA:BB:CC:DD:EE:FF");
  EXPECT_TRUE(std::holds_alternative<fleet::Settle>(desk_.last().body));
  send("PATCH", "/api/admin/devices/esp32_001", R"({"pinned_version":null})");
  EXPECT_EQ(devices_.patched.pinned_version, "");
}

TEST_F(DeviceAdmin, APatchNamesTheFieldItRefuses) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({})", "nothing to change"},   {R"({"groups":"beta"})", "groups"},
      {R"({"groups":[""]})", "groups"}, {R"({"metadata":[]})", "metadata"},
      {R"({"mac":"zz"})", "mac"},       {R"({"pinned_version":"../1"})", "pinned_version"},
      {R"({"hold":"yes"})", "hold"}};
  for (const auto& [body, field] : cases) {
    const auto refused = send("PATCH", "/api/admin/devices/esp32_001", body);
    EXPECT_EQ(refused.status, 422) << body;
    EXPECT_NE(refused.body.find(field), std::string::npos) << refused.body;
  }
}

TEST_F(DeviceAdmin, ADeletedDeviceIsForgottenOnTheBrokerToo) {
  EXPECT_EQ(send("DELETE", "/api/admin/devices/esp32_001").status, 200);
  EXPECT_EQ(forgotten_, "esp32_001");
  EXPECT_EQ(send("DELETE", "/api/admin/devices/nobody").status, 404);
}

TEST_F(DeviceAdmin, AnOfferNowIsARolloutForThatDeviceAlone) {
  const auto made = json::parse(send("POST", "/api/admin/devices/esp32_001/offer").body);
  EXPECT_EQ(made.at("rollout_id"), 41);
  EXPECT_EQ(made.at("outcome"), "already on 1.1.0") << "as the desk answered";
  EXPECT_EQ(rollouts_.created.target_filter_json, R"({"device_ids":["esp32_001"]})");
  EXPECT_EQ(rollouts_.created.version, "1.2.0");
  send("POST", "/api/admin/devices/esp32_001/offer", R"({"firmware_version":"1.1.0"})");
  EXPECT_EQ(rollouts_.created.version, "1.1.0");
  EXPECT_EQ(send("POST", "/api/admin/devices/esp32_001/offer", R"({"firmware_version":"7.0.0"})").status,
            404);
}

TEST_F(DeviceAdmin, GroupsTakeManyDevicesAtOnce) {
  const auto done =
      json::parse(send("POST", "/api/admin/groups/beta/devices", R"({"add":["a","b"],"remove":["c"]})").body);
  EXPECT_EQ(done.at("changed"), 2);
  EXPECT_EQ(done.at("unknown")[0], "ghost");
  EXPECT_EQ(devices_.change.remove, std::vector<std::string>{"c"});
  EXPECT_EQ(desk_.count(), 2U);
  EXPECT_EQ(send("POST", "/api/admin/groups/beta/devices", R"({"add":["a/b"]})").status, 422);
  EXPECT_EQ(send("POST", "/api/admin/groups/beta/devices", R"({})").status, 422);
}

TEST_F(DeviceAdmin, ReleasesAreWithdrawnAndDeletedByTheirFullName) {
  releases_.rows = {{"1.1.0", "esp32", "x.bin", 5, "ab", true, "", ""},
                    {"1.1.0", "esp8266", "y.bin", 6, "cd", false, "", ""}};
  EXPECT_EQ(send("POST", "/api/admin/firmware/1.1.0/withdraw").status, 409);
  EXPECT_EQ(
      send("POST", "/api/admin/firmware/1.1.0/withdraw?device_model=esp32", R"({"why":"bricks"})").status,
      200);
  EXPECT_EQ(releases_.ended, "withdrawn 1.1.0 esp32");
  releases_.rows.pop_back();
  EXPECT_EQ(send("DELETE", "/api/admin/firmware/1.1.0").status, 200);
  EXPECT_EQ(releases_.ended, "deleted 1.1.0 esp32");
  EXPECT_EQ(send("DELETE", "/api/admin/firmware/9.9.9").status, 404);
}

TEST_F(DeviceAdmin, OneSwitchStopsEverything) {
  EXPECT_EQ(send("POST", "/api/admin/freeze", R"({"why":"smoke"})").status, 200);
  EXPECT_TRUE(events_.frozen);
  EXPECT_EQ(events_.why, "smoke");
  EXPECT_EQ(send("POST", "/api/admin/unfreeze").status, 200);
  EXPECT_FALSE(events_.frozen);
}

TEST_F(DeviceAdmin, TheAuditLogIsListedInPages) {
  events_.rows.resize(1);
  events_.rows[0].id = 5;
  events_.rows[0].data_json = R"({"why":"because"})";
  const auto page =
      json::parse(get_as_admin("/api/admin/events?limit=1&type=rollout_updated&rollout_id=3").body);
  EXPECT_EQ(page.at("events")[0].at("event_data").at("why"), "because");
  EXPECT_EQ(page.at("next_cursor"), "5");
  EXPECT_EQ(events_.asked.rollout_id, 3);
  EXPECT_EQ(get_as_admin("/api/admin/events?rollout_id=-1").status, 422);
  EXPECT_EQ(get("/api/admin/events").status, 401);
}

}  // namespace
}  // namespace ota::tests
