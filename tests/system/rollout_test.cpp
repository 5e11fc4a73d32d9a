// Rollouts that lead themselves, on the real stack.
#include "tests/system/rollout_fixture.hpp"

namespace ota::system_test {
namespace {

const json kStages = {{{"percentage", 5}, {"success_percent_min", 100}},
                      {{"percentage", 25}, {"success_percent_min", 100}},
                      {{"percentage", 100}}};

TEST_F(Rollouts, AdvanceByThemselvesWhileTheirDevicesDoWell) {
  Pollers devices(rest_, model_, 60);
  devices.ask_all();
  const auto canary = rest_.post("/api/admin/rollout/simulate", {{"firmware_version", "1.1.0"},
                                                                 {"device_model", model_},
                                                                 {"target_type", "canary"},
                                                                 {"rollout_percentage", 5}});
  const int expected = canary.json().value("would_update", 0);
  ASSERT_GT(expected, 0) << canary.body;
  const auto id = create({{"target_type", "canary"}, {"stages", kStages}});
  // While nobody has succeeded it stays in its first stage.
  EXPECT_EQ(devices.ask_all("downloading"), expected) << "the first stage is the canary alone";
  EXPECT_TRUE(eventually([&] {
    devices.ask_all();
    return devices.count_at("1.1.0") == 60;
  }));
  EXPECT_EQ(show(id)["stage"]["index"], 2);
  EXPECT_EQ(database_.value(
                "SELECT count(*) FROM ota_events WHERE event_type = 'rollout_advanced' AND rollout_id = " +
                std::to_string(id)),
            "2");
}

TEST_F(Rollouts, ABrickedHalfOfTheCanaryHoldsTheStage) {
  Pollers devices(rest_, model_, 10);
  devices.ask_all();
  const auto id = create({{"target_type", "canary"},
                          {"stages", {{{"percentage", 99}, {"finished_min", 2}}, {{"percentage", 100}}}}});
  const auto ids = devices.ids();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto offer = devices.check(ids[i]);
    if (offer.value("update_available", false))
      devices.report(ids[i], offer, i % 2 == 0 ? "success" : "installing");
  }
  EXPECT_TRUE(eventually([&] {
    return show(id)["stage"]["why"].get<std::string>().find("started attempts succeeded, 95 % are needed") !=
           std::string::npos;
  })) << show(id);
  // What is due is counted by whoever judges, so it has.
  EXPECT_TRUE(eventually([&] { return !show(id)["devices_due"].is_null(); }));
  EXPECT_EQ(show(id)["stage"]["index"], 0);
}

TEST_F(Rollouts, PauseOnTheThirdFailureOfTenEvenWhenRestartedAfterTheSecond) {
  Pollers devices(rest_, model_, 20);
  devices.ask_all();
  const auto id =
      create({{"abort_criteria", {{{"failure", "any"}, {"percent_max", 20}, {"finished_min", 10}}}}});
  const auto ids = devices.ids();
  const auto finish = [&](std::size_t index, const std::string& status) {
    devices.report(ids[index], devices.check(ids[index]), status);
  };
  for (std::size_t i = 0; i < 7; ++i) finish(i, "success");
  finish(7, "failed");
  finish(8, "failed");
  stack_->restart("bridge");
  ASSERT_TRUE(eventually([&] { return rest_.get("/health").status == 200; }));
  EXPECT_EQ(show(id)["state"], "running");
  finish(9, "failed");
  ASSERT_TRUE(becomes(id, "paused")) << show(id);

  const auto halted = show(id)["halted"];
  EXPECT_EQ(halted["devices"].size(), 3U) << halted;
  EXPECT_NE(halted["why"].get<std::string>().find("3 of 10"), std::string::npos) << halted;
  // What is decided is known from the database by its notice, a moment later.
  EXPECT_TRUE(eventually([&] { return !devices.check(ids[15]).value("update_available", true); }));
  EXPECT_EQ(order(id, "resume").status, 409);
  EXPECT_EQ(order(id, "resume", {{"acknowledge", true}, {"why", "the charger was off"}}).status, 200);
  EXPECT_TRUE(eventually([&] { return devices.check(ids[15]).value("update_available", false); }));
  devices.ask_all();
  EXPECT_EQ(show(id)["state"], "running");
}

TEST_F(Rollouts, AbortClearsEveryRetainedOffer) {
  add_away_devices(200);
  MqttPeer watcher(*stack_, "BRIDGE");
  watcher.subscribe("ota/v1/device/+/offer");
  const auto id = create();
  const auto count = [&](bool cleared, std::size_t from) {
    std::set<std::string> topics;
    while (topics.size() < 200) {
      const auto message = watcher.wait_for(
          [&](const MqttMessage& m) {
            return m.topic.find("/a" + model_) != std::string::npos && m.payload.empty() == cleared &&
                   topics.count(m.topic) == 0;
          },
          from);
      if (!message) break;
      topics.insert(message->topic);
    }
    return topics.size();
  };
  ASSERT_EQ(count(false, 0), 200U);
  const auto from = watcher.received();
  const auto began = std::chrono::steady_clock::now();
  ASSERT_EQ(order(id, "abort", {{"why", "smoke"}}).status, 200);
  EXPECT_EQ(count(true, from), 200U);
  RecordProperty("milliseconds",
                 static_cast<int>((std::chrono::steady_clock::now() - began).count() / 1000000));
  EXPECT_EQ(show(id)["state"], "aborted");
  EXPECT_EQ(order(id, "resume").status, 409);
}

TEST_F(Rollouts, RollBackReturnsEveryDeviceThatTookIt) {
  Pollers devices(rest_, model_, 8);
  HandPlayedDevice on_mqtt(*stack_, "m" + model_, model_);
  const auto id = create();
  devices.ask_all();
  devices.ask_all();
  ASSERT_EQ(devices.count_at("1.1.0"), 8);
  const auto offer = on_mqtt.check("1.0.0");
  on_mqtt.report(
      {{"firmware_version", "1.1.0"}, {"status", "installing"}, {"attempt_id", offer["attempt_id"]}});
  on_mqtt.check("1.1.0", "b2");
  Pollers latecomers(rest_, model_ + "x", 1);

  const auto from = on_mqtt.mqtt().received();
  const auto done = order(id, "rollback", {{"why", "it overheats"}});
  ASSERT_EQ(done.status, 200) << done.body;
  ASSERT_EQ(done.json()["rollbacks"].size(), 1U) << done.body;
  const auto back = on_mqtt.offer_after(from);
  EXPECT_EQ(back.value("latest_version", ""), "1.0.0") << back;
  on_mqtt.report(
      {{"firmware_version", "1.0.0"}, {"status", "installing"}, {"attempt_id", back["attempt_id"]}});
  EXPECT_EQ(on_mqtt.check("1.0.0", "b3").value("update_available", true), false);
  EXPECT_EQ(devices.ask_all(), 8);
  EXPECT_EQ(devices.count_at("1.0.0"), 8);
  EXPECT_EQ(devices.ask_all(), 0) << "and there they stay";
  EXPECT_EQ(show(id)["state"], "rolled_back");
  EXPECT_EQ(show(done.json()["rollbacks"][0])["counts"]["success"], 9);
  EXPECT_EQ(
      database_.value("SELECT event_data->>'why' FROM ota_events WHERE event_type = 'rollback_initiated' "
                      "AND rollout_id = " +
                      std::to_string(id)),
      "it overheats");
}

TEST_F(Rollouts, OffersGoOutAsDevicesFinish) {
  add_away_devices(10);
  const auto id = create({{"rate", {{"in_flight_max", 2}}}});
  ASSERT_TRUE(eventually([&] { return standing_offers() == 2; }));
  for (int finished = 1; finished <= 10; ++finished) {
    finish_one_of(id);
    const int left = 10 - finished;
    EXPECT_TRUE(eventually([&] { return standing_offers() == std::min(2, left); })) << finished;
  }
  EXPECT_EQ(show(id)["counts"]["success"], 10);
}

TEST_F(Rollouts, ARateGoesOnAfterABridgeWasKilled) {
  add_away_devices(4);
  const auto id = create({{"rate", {{"in_flight_max", 2}}}});
  ASSERT_TRUE(eventually([&] { return standing_offers() == 2; }));
  stack_->restart("bridge");
  finish_one_of(id);
  EXPECT_TRUE(eventually([&] { return standing_offers() == 2; })) << "the next one has its turn";
  finish_one_of(id);
  EXPECT_TRUE(eventually([&] { return standing_offers() == 2; }));
}

TEST_F(Rollouts, SilenceTimesOutAndIsTriedAgainUntilHeld) {
  HandPlayedDevice device(*stack_, "m" + model_, model_);
  const auto id = create();
  const auto age = [&](const std::string& table, const std::string& column) {
    database_.value("UPDATE " + table + " SET " + column + " = now() WHERE device_id = 'm" + model_ + "'");
  };
  auto offer = device.check("1.0.0");
  for (int attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_TRUE(offer.is_object()) << attempt;
    device.report(
        {{"firmware_version", "1.1.0"}, {"status", "downloading"}, {"attempt_id", offer["attempt_id"]}});
    age("device_update_status", "due_at");
    ASSERT_TRUE(eventually([&] { return show(id)["counts"].value("failed", 0) == attempt; })) << show(id);
    const auto from = device.mqtt().received();
    age("offers", "retry_at");
    if (attempt < 3) offer = device.offer_after(from);
  }
  EXPECT_TRUE(eventually([&] { return show(id)["devices_held"] == 1; }));
  const auto why = rest_.get("/api/admin/devices/m" + model_ + "/explain").json();
  EXPECT_EQ(why["reason"], "held") << why;
  const auto from = device.mqtt().received();
  EXPECT_EQ(order(id, "retry").json()["devices"], 1);
  EXPECT_EQ(device.offer_after(from).value("latest_version", ""), "1.1.0");
}

TEST_F(Rollouts, AWithdrawnReleaseIsNeverOfferedServedOrFinished) {
  HandPlayedDevice loading(*stack_, "m" + model_, model_);
  create();
  const auto offer = loading.check("1.0.0");
  loading.report(
      {{"firmware_version", "1.1.0"}, {"status", "downloading"}, {"attempt_id", offer["attempt_id"]}});
  add_away_devices(20);
  EXPECT_EQ(rest_.post("/api/admin/freeze", json::object()).status, 200);
  EXPECT_EQ(rest_.post("/api/admin/unfreeze", json::object()).status, 200);  // has the new ones looked at
  ASSERT_TRUE(eventually([&] { return standing_offers() == 20; }));

  ASSERT_EQ(
      rest_.post("/api/admin/firmware/1.1.0/withdraw?device_model=" + model_, {{"why", "bricks"}}).status,
      200);
  EXPECT_TRUE(eventually([&] { return standing_offers() == 0; }));
  EXPECT_EQ(rest_.get("/api/firmware/download/1.1.0?device_model=" + model_).status, 404);
  const auto told = loading.mqtt().wait_for(
      [](const MqttMessage& m) { return m.payload.find("\"withdrawn\"") != std::string::npos; });
  ASSERT_TRUE(told);
  EXPECT_EQ(json::parse(told->payload)["attempt_id"], offer["attempt_id"]);
  EXPECT_EQ(loading.check("1.0.0").value("update_available", true), false);
}

TEST_F(Rollouts, OneSwitchStopsTheWholeFleetAndLetsItGoOn) {
  add_away_devices(5);
  create();
  ASSERT_TRUE(eventually([&] { return standing_offers() == 5; }));
  EXPECT_EQ(rest_.post("/api/admin/freeze", {{"why", "a storm"}}).status, 200);
  EXPECT_TRUE(eventually([&] { return standing_offers() == 0; }));
  EXPECT_EQ(rest_.post("/api/admin/unfreeze", json::object()).status, 200);
  EXPECT_TRUE(eventually([&] { return standing_offers() == 5; }));
}

TEST_F(Rollouts, StartAndEndByTheirSchedule) {
  const auto in = [&](const std::string& interval) {
    return database_.value("SELECT to_char(now() AT TIME ZONE 'UTC' + interval '" + interval +
                           "', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
  };
  add_away_devices(1);
  const auto id =
      create({{"start_at", in("1 second")}, {"end_at", in("3 seconds")}, {"end_action", "abort"}});
  EXPECT_TRUE(becomes(id, "aborted"));
  EXPECT_EQ(database_.value("SELECT string_agg(event_data->>'state', ',' ORDER BY id) FROM ota_events "
                            "WHERE rollout_id = " +
                            std::to_string(id)),
            "scheduled,running,aborted");
  EXPECT_TRUE(eventually([&] { return standing_offers() == 0; }));
}

TEST_F(Rollouts, DevicesJoinWhenTheyAppearOrChangeTheirGroup) {
  HandPlayedDevice device(*stack_, "m" + model_, model_);
  device.check("1.0.0");
  const auto id = create({{"target_type", "group"}, {"target_filter", {{"group", "beta " + model_}}}});
  EXPECT_EQ(device.check("1.0.0").value("update_available", true), false);
  const auto from = device.mqtt().received();
  const auto done =
      rest_.post("/api/admin/groups/beta%20" + model_ + "/devices", {{"add", {"m" + model_, "nobody"}}});
  EXPECT_EQ(done.json()["changed"], 1) << done.body;
  EXPECT_EQ(done.json()["unknown"], json::array({"nobody"}));
  EXPECT_EQ(device.offer_after(from).value("latest_version", ""), "1.1.0");
  EXPECT_EQ(order(id, "pause").status, 200);
  EXPECT_EQ(rest_.patch("/api/admin/devices/m" + model_, {{"hold", true}}).status, 200);
  EXPECT_EQ(order(id, "resume").status, 200);
  EXPECT_EQ(rest_.get("/api/admin/devices/m" + model_ + "/explain").json()["reason"], "on_hold");
}

TEST_F(Rollouts, AnOfferNowReachesOneDeviceAlone) {
  HandPlayedDevice device(*stack_, "m" + model_, model_);
  device.check("1.0.0");
  add_away_devices(3);
  const auto from = device.mqtt().received();
  const auto done = rest_.post("/api/admin/devices/m" + model_ + "/offer", json::object());
  EXPECT_EQ(done.json()["outcome"], "offered 1.1.0") << done.body;
  EXPECT_EQ(device.offer_after(from).value("latest_version", ""), "1.1.0");
  EXPECT_EQ(standing_offers(), 1);
}

}  // namespace
}  // namespace ota::system_test
