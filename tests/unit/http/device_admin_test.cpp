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

TEST_F(DeviceAdmin, ExplainNamesAllThatBlocksAtOnce) {
  const auto reasons = [&] {
    std::vector<std::string> found;
    const auto why = json::parse(get_as_admin("/api/admin/devices/esp32_001/explain").body);
    for (const auto& block : why.at("blocks")) {
      EXPECT_FALSE(block.at("text").get<std::string>().empty());
      found.push_back(block.at("reason"));
    }
    return found;
  };
  using Reasons = std::vector<std::string>;
  EXPECT_EQ(reasons(), Reasons{});
  auto& seen = devices_.devices[0];
  seen.on_mqtt = false;
  EXPECT_EQ(reasons(), Reasons{"asks_by_rest"});
  seen.on_mqtt = true;

  auto slow = rollout(1, "1.1.0");
  slow.policy.rate.in_flight_max = 1;
  catalogs_.set(fleet::Catalog({release(1, "1.1.0")}, {slow}));
  EXPECT_EQ(reasons(), Reasons{"waits_its_turn"});
  seen.on_mqtt = false;
  EXPECT_EQ(reasons(), (Reasons{"asks_by_rest", "waits_its_turn"}));
  seen.on_mqtt = true;
  seen.offer = fleet::Offer{};
  seen.offer->rollout_id = 1;
  EXPECT_EQ(reasons(), Reasons{}) << "its offer stands";
  seen.offer->rollout_id = 7;
  seen.offer->version = "1.0.5";
  seen.offer->taken = true;
  seen.attempt = fleet::Attempt{};
  EXPECT_EQ(reasons(), Reasons{"under_way"});

  slow.state = fleet::RolloutState::paused;
  seen.hold = true;
  seen.pinned_version = "1.1.0";
  catalogs_.set(fleet::Catalog({release(1, "1.1.0")}, {slow}, {.frozen = true}));
  EXPECT_EQ(reasons(), (Reasons{"frozen", "on_hold", "pinned", "paused"}));
  seen.hold = false;
  catalogs_.set(fleet::Catalog({release(1, "1.1.0")}, {slow}));
  EXPECT_EQ(reasons(), (Reasons{"pinned", "paused"}));
  seen.pinned_version = "";
  seen.offer->rollout_id = 1;
  seen.offer->failed_attempts = 99;
  EXPECT_EQ(reasons(), (Reasons{"paused", "held"}));
  seen.version = "1.1.0";
  EXPECT_EQ(reasons(), Reasons{}) << "nothing is meant for it";
}

TEST_F(DeviceAdmin, ExplainOfNobodyAndOfNothing) {
  EXPECT_EQ(get_as_admin("/api/admin/devices/nobody/explain").status, 404);
  EXPECT_EQ(get_as_admin("/api/admin/devices/a%20b/explain").status, 422);
  catalogs_.set(fleet::Catalog{});
  const auto why = json::parse(get_as_admin("/api/admin/devices/esp32_001/explain").body);
  EXPECT_EQ(why.at("reason"), "no_rollout");
  EXPECT_EQ(why.at("update_available"), false);
  EXPECT_TRUE(why.at("looked_at").empty());
}

TEST_F(DeviceAdmin, ShowsAttemptsAndTheOffer) {
  auto& seen = devices_.devices[0];
  seen.offer = fleet::Offer{};
  seen.offer->attempt_id = 12;
  seen.offer->rollout_id = 2;
  seen.offer->version = "1.2.0";
  seen.offer->wanted_revision = 1;
  seen.metadata.value =
      fleet::JsonValue::Object{{"groups", {fleet::JsonValue::Array{{std::string("beta")}}}}};
  devices_.attempts.push_back({11, 1, "1.1.0", "failed", "timed_out", "silent", 40, "a", "", "c"});
  const auto shown = json::parse(get_as_admin("/api/admin/devices/esp32_001").body);
  EXPECT_EQ(shown.at("groups"), json({"beta"}));
  EXPECT_EQ(shown.at("offer").at("attempt_id"), 12);
  EXPECT_EQ(shown.at("offer").at("on_broker"), false);
  EXPECT_EQ(shown.at("attempts")[0].at("failure"), "timed_out");
  EXPECT_TRUE(shown.at("attempts")[0].at("completed_at").is_null());
  EXPECT_TRUE(shown.at("pinned_version").is_null());
}

TEST_F(DeviceAdmin, AnOfferIsOnTheBrokerOnlyForDevicesThatAreThere) {
  auto& device = devices_.devices[0];
  device.offer = fleet::Offer{};
  device.offer->wanted_revision = 1;
  device.offer->published_revision = 1;
  for (const bool on_mqtt : {false, true}) {
    device.on_mqtt = on_mqtt;
    const auto shown = json::parse(get_as_admin("/api/admin/devices/esp32_001").body);
    EXPECT_EQ(shown.at("offer").at("on_broker"), on_mqtt);
  }
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
  send("PATCH", "/api/admin/devices/esp32_001", R"({"hold":true,"groups":null,"metadata":null})");
  EXPECT_FALSE(devices_.patched.groups) << "null is not given, and no group is lost";
  EXPECT_FALSE(devices_.patched.metadata);
  EXPECT_EQ(send("PATCH", "/api/admin/devices/nobody", R"({"hold":true})").status, 404);
  EXPECT_EQ(send("PATCH", "/api/admin/devices/a%20b", R"({"hold":true})").status, 422);
  EXPECT_EQ(send("PATCH", "/api/admin/devices/esp32_001", "{").status, 400);
}

TEST_F(DeviceAdmin, AnOrderIsNotCountedAsTheDevicesOwnMessage) {
  capped_ = "esp32_001";
  const auto answer = call(port(), "PATCH", "/api/admin/devices/esp32_001",
                           {{"X-API-Key", kKey}, {"Content-Type", "application/json"}}, R"({"hold":true})");
  EXPECT_EQ(answer.status, 200) << answer.body;
}

TEST_F(DeviceAdmin, APatchThatCannotBeDecidedNowSaysSo) {
  desk_.answer = [](const fleet::Message&) {
    return fleet::fail(fleet::ErrorKind::unavailable, "the inbox is full");
  };
  EXPECT_EQ(send("PATCH", "/api/admin/devices/esp32_001", R"({"hold":true})").status, 503);
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

TEST_F(DeviceAdmin, AnOfferNowToADevicePinnedElsewhereNamesThePin) {
  const auto outcome = [&](const std::string& pin) {
    devices_.devices[0].pinned_version = pin;
    const auto made = send("POST", "/api/admin/devices/esp32_001/offer", R"({"firmware_version":"1.1.0"})");
    return json::parse(made.body).value("outcome", "");
  };
  EXPECT_EQ(outcome("1.0.0"), "pinned to 1.0.0: this waits until the pin is gone");
  EXPECT_EQ(outcome("1.1.0"), "already on 1.1.0") << "as the desk answered";
}

TEST_F(DeviceAdmin, AnOfferNowIsARolloutForThatDeviceAlone) {
  const auto made = json::parse(send("POST", "/api/admin/devices/esp32_001/offer").body);
  EXPECT_EQ(made.at("rollout_id"), 41);
  EXPECT_EQ(made.at("outcome"), "already on 1.1.0") << "as the desk answered";
  EXPECT_EQ(made.at("offered"), false);
  EXPECT_TRUE(std::holds_alternative<fleet::Settle>(desk_.last().body));
  EXPECT_EQ(rollouts_.created.target_filter_json, R"({"device_ids":["esp32_001"]})");
  EXPECT_EQ(rollouts_.created.version, "1.2.0");
  send("POST", "/api/admin/devices/esp32_001/offer", R"({"firmware_version":"1.1.0"})");
  EXPECT_EQ(rollouts_.created.version, "1.1.0");
  EXPECT_EQ(send("POST", "/api/admin/devices/esp32_001/offer", R"({"firmware_version":"7.0.0"})").status,
            404);
  EXPECT_EQ(send("POST", "/api/admin/devices/nobody/offer").status, 404);
  EXPECT_EQ(send("POST", "/api/admin/devices/esp32_001/offer", R"({"firmware_version":7})").status, 422);
  EXPECT_EQ(send("POST", "/api/admin/devices/esp32_001/offer", R"({"firmware_version":"../x"})").status, 422);
  EXPECT_EQ(send("POST", "/api/admin/devices/esp32_001/offer", "{").status, 400);
}

TEST_F(DeviceAdmin, AnOfferSaysWhetherItIsTheOneThatStands) {
  const auto catalog = catalogs_.catalog();
  std::int64_t rollout_id = 41;
  desk_.answer = [&](const fleet::Message&) -> fleet::Expected<fleet::Answer> {
    fleet::OfferAnswer offer;
    offer.catalog = catalog;
    offer.release = catalog->find_release("esp32", "1.1.0");
    offer.rollout_id = rollout_id;
    return offer;
  };
  const auto ours = json::parse(send("POST", "/api/admin/devices/esp32_001/offer").body);
  EXPECT_EQ(ours.at("offered"), true);
  EXPECT_EQ(ours.at("outcome"), "offered 1.1.0");
  rollout_id = 1;
  const auto other = json::parse(send("POST", "/api/admin/devices/esp32_001/offer").body);
  EXPECT_EQ(other.at("offered"), false);
  EXPECT_NE(other.at("outcome").get<std::string>().find("rollout 1 is to end first"), std::string::npos);
}

TEST_F(DeviceAdmin, AModelWithoutAReleaseHasNothingToOffer) {
  catalogs_.set(fleet::Catalog{});
  const auto refused = send("POST", "/api/admin/devices/esp32_001/offer");
  EXPECT_EQ(refused.status, 404);
  EXPECT_NE(refused.body.find("device_model esp32"), std::string::npos) << refused.body;
  EXPECT_EQ(rollouts_.created.name, "");
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
  EXPECT_EQ(send("POST", "/api/admin/groups/beta/devices", R"({"add":"a"})").status, 422);
  EXPECT_EQ(send("POST", "/api/admin/groups/beta/devices", R"({"remove":[7]})").status, 422);
  EXPECT_EQ(send("POST", "/api/admin/groups/beta/devices", "{").status, 400);
  for (const std::string& name : {std::string("%FF"), std::string(201, 'x')}) {
    EXPECT_EQ(send("POST", "/api/admin/groups/" + name + "/devices", R"({"add":["a"]})").status, 422) << name;
  }
}

TEST_F(DeviceAdmin, AGroupTakesAsManyDevicesAsItPromises) {
  json ids = json::array();
  for (int i = 0; i < 10000; ++i) ids.push_back(std::string(58, 'd') + std::to_string(100000 + i));
  const auto done =
      send("POST", "/api/admin/groups/beta/devices", json{{"add", ids}, {"remove", ids}}.dump());
  EXPECT_EQ(done.status, 200) << done.body;
  EXPECT_EQ(json::parse(done.body).at("changed"), 10000);
  EXPECT_EQ(desk_.count(), 10000U);
  ids.push_back("one-too-many");
  const auto refused = send("POST", "/api/admin/groups/beta/devices", json{{"add", ids}}.dump());
  EXPECT_EQ(refused.status, 422);
  EXPECT_NE(refused.body.find("add must be a list of at most 10000"), std::string::npos) << refused.body;
  const std::string huge = R"({"add":[")" + std::string(3'000'000, 'x') + R"("]})";
  EXPECT_EQ(send("POST", "/api/admin/groups/beta/devices", huge).status, 413);
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

TEST_F(DeviceAdmin, OfAReleaseNobodyNeedsTheFileGoesToo) {
  add_image("1.1.0", "esp32", "image");
  const auto file = std::filesystem::path(folder_) / releases_.rows[0].file_path;
  ASSERT_TRUE(std::filesystem::exists(file));
  EXPECT_EQ(send("DELETE", "/api/admin/firmware/1.1.0").status, 200);
  EXPECT_TRUE(std::filesystem::exists(file)) << "another release uses the same bytes";
  releases_.unused_file = releases_.rows[0].file_path;
  EXPECT_EQ(send("DELETE", "/api/admin/firmware/1.1.0").status, 200);
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(DeviceAdmin, ReleaseOrdersAreRefusedByField) {
  releases_.rows = {{"1.1.0", "esp32", "x.bin", 5, "ab", true, "", ""}};
  const std::string path = "/api/admin/firmware/1.1.0/withdraw";
  EXPECT_EQ(send("POST", path, R"({"why":7})").status, 422);
  EXPECT_EQ(send("POST", path, "{").status, 400);
  EXPECT_EQ(send("POST", path + "?device_model=a%2Fb").status, 422);
  EXPECT_EQ(send("POST", "/api/admin/firmware/1%201/withdraw").status, 422);
  EXPECT_EQ(send("DELETE", "/api/admin/firmware/1.1.0?device_model=a%2Fb").status, 422);
  EXPECT_EQ(releases_.ended, "");
  releases_.end_failure = fleet::Error{fleet::ErrorKind::conflict, "rollout 3 needs 1.1.0"};
  EXPECT_EQ(send("DELETE", "/api/admin/firmware/1.1.0").status, 409);
}

TEST_F(DeviceAdmin, OneSwitchStopsEverything) {
  EXPECT_EQ(send("POST", "/api/admin/freeze", R"({"why":"smoke"})").status, 200);
  EXPECT_TRUE(events_.frozen);
  EXPECT_EQ(events_.why, "smoke");
  EXPECT_EQ(send("POST", "/api/admin/unfreeze").status, 200);
  EXPECT_FALSE(events_.frozen);
  EXPECT_EQ(send("POST", "/api/admin/freeze", R"({"why":[]})").status, 422);
  EXPECT_EQ(send("POST", "/api/admin/freeze", "[").status, 400);
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
  EXPECT_EQ(get_as_admin("/api/admin/events?device_id=a%2Fb").status, 422);
  EXPECT_EQ(get_as_admin("/api/admin/events?firmware_version=%2F").status, 422);
  EXPECT_EQ(get_as_admin("/api/admin/events?type=a%2Fb").status, 422);
  EXPECT_EQ(get_as_admin("/api/admin/events?limit=501").status, 422);
  EXPECT_EQ(get_as_admin("/api/admin/events?cursor=5x").status, 422);
  const auto last =
      json::parse(get_as_admin("/api/admin/events?cursor=9&device_id=d&firmware_version=1.0.0&limit=2").body);
  EXPECT_TRUE(last.at("next_cursor").is_null());
  EXPECT_EQ(events_.asked.before_id, 9);
  EXPECT_EQ(events_.asked.device_id, "d");
  EXPECT_EQ(events_.asked.version, "1.0.0");
  EXPECT_EQ(get("/api/admin/events").status, 401);
}

}  // namespace
}  // namespace ota::tests
