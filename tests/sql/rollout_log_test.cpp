#include "sql/session.hpp"
#include "tests/sql/rollout_fixture.hpp"

namespace ota::sql_test {
namespace {

class RolloutLog : public RolloutTest {
 protected:
  std::string owner() { return database_.value("SELECT session_user"); }
  std::string requested() { return database_.value("SELECT requested FROM push_requests"); }
};

TEST_F(RolloutLog, WhatPsqlDoesIsLoggedOnceWithTheDatabaseUser) {
  database_.value(
      "INSERT INTO rollout_configurations (name, firmware_version, device_model, target_type) "
      "VALUES ('by hand', '1.1.0', 'esp32', 'all')");
  EXPECT_EQ(last_event(), "rollout_created " + owner() + " running changed by SQL");
  database_.value("UPDATE rollout_configurations SET is_active = false");
  EXPECT_EQ(last_event(), "rollout_updated " + owner() + " paused changed by SQL");
  EXPECT_EQ(count_of_events(), "2");
  database_.value("UPDATE rollout_configurations SET firmware_version = '1.0.0'");
  EXPECT_EQ(count_of_events(), "3");
  EXPECT_EQ(database_.value("SELECT event_data - 'why' FROM ota_events ORDER BY id DESC LIMIT 1"),
            R"({"name": "by hand", "state": "paused", "is_active": false, "target_type": "all", )"
            R"("device_model": "esp32", "rollout_percentage": 100})");
  database_.value("UPDATE rollout_configurations SET firmware_version = firmware_version");
  EXPECT_EQ(count_of_events(), "3") << "nothing changed";
  database_.value("DELETE FROM rollout_configurations");
  EXPECT_EQ(last_event(), "rollout_deleted " + owner() + " paused changed by SQL");
}

TEST_F(RolloutLog, WhatTheServiceDoesIsLoggedOnceByItself) {
  const auto id = create("r", R"({"stages":[{"percentage":5},{"percentage":100}]})");
  EXPECT_EQ(count_of_events(), "1");
  ASSERT_TRUE(rollouts_.patch_rollout(id, {7, std::nullopt, std::nullopt, std::nullopt, "ann"}));
  EXPECT_EQ(count_of_events(), "2");
  ASSERT_TRUE(rollouts_.patch_rollout(id, {7, std::nullopt, std::nullopt, std::nullopt, "ann"}));
  EXPECT_EQ(count_of_events(), "2") << "nothing changed";
  ASSERT_TRUE(control_.advance({id, 0, {1, 100, ""}}));
  EXPECT_EQ(count_of_events(), "3");
  offer("a", id, "1.0.0", true);
  ASSERT_TRUE(order(id, RolloutCommand::roll_back));
  EXPECT_EQ(database_.value("SELECT string_agg(event_type, ',' ORDER BY id) FROM ota_events"),
            "rollout_created,rollout_updated,rollout_advanced,rollback_initiated,rollout_created");
  EXPECT_EQ(database_.value("SELECT string_agg(DISTINCT created_by, ',') FROM ota_events"), "ann,bridge");
}

TEST_F(RolloutLog, APooledConnectionThatLoggedItselfDoesNotSilenceLaterChanges) {
  sql::ConnectionPool one(database_.service(), 1);
  sql::PgRolloutStore rollouts(one);
  const auto id = create("r");
  ASSERT_TRUE(rollouts.order(id, {RolloutCommand::pause, "ann", "", false, {}}));
  auto lease = one.take();
  ASSERT_TRUE(lease);
  pqxx::work work(lease.session().connection());
  work.exec("UPDATE rollout_configurations SET rollout_percentage = 3");
  work.commit();
  EXPECT_NE(last_event().find("changed by SQL"), std::string::npos) << last_event();
}

TEST_F(RolloutLog, AHaltSaysWhatHaltedIt) {
  const auto id = create("r");
  ASSERT_TRUE(control_.order(id, {RolloutCommand::pause, "bridge", "3 of 10 failed", false,
                                  R"({"why":"3 of 10 failed","devices":[{"device_id":"a"}]})"}));
  EXPECT_EQ(database_.value(
                "SELECT event_data->'halted'->'devices'->0->>'device_id' FROM ota_events ORDER BY id DESC "
                "LIMIT 1"),
            "a");
  EXPECT_EQ(row(id, "halted->>'why'"), "3 of 10 failed");
}

TEST_F(RolloutLog, ACountOfDevicesAsksForNoPushAndIsNoNews) {
  const auto id = create("r");
  const auto before = requested();
  ASSERT_TRUE(control_.note_stage_devices(id, 7));
  EXPECT_EQ(requested(), before);
  EXPECT_EQ(count_of_events(), "1");
  ASSERT_TRUE(order(id, RolloutCommand::pause));
  EXPECT_NE(requested(), before);
}

TEST_F(RolloutLog, OnlyTheServiceMayPruneAndOnlyWhatIsOld) {
  EXPECT_EQ(database_.value("SELECT has_function_privilege('public', 'prune_events(timestamptz, integer)', "
                            "'EXECUTE')"),
            "f");
  database_.value(
      "INSERT INTO ota_events (event_type, created_at) SELECT 'old', now() - interval '31 days' "
      "FROM generate_series(1, 5)");
  database_.value("INSERT INTO ota_events (event_type) VALUES ('young')");
  EXPECT_EQ(control_.prune_events(now() - std::chrono::hours(24 * 400), 100).value(), 0);
  EXPECT_EQ(control_.prune_events(now(), 2).value(), 2) << "in batches";
  EXPECT_EQ(control_.prune_events(now(), 100).value(), 3);
  EXPECT_EQ(database_.value("SELECT string_agg(event_type, ',') FROM ota_events"), "young");
}

TEST_F(RolloutLog, EventsAreFoundByEachFilterAndInPages) {
  database_.value(
      "INSERT INTO ota_events (event_type, device_id, firmware_version, rollout_id) "
      "SELECT CASE i % 2 WHEN 0 THEN 'even' ELSE 'odd' END, 'd' || i % 3, '1.' || i % 5, i % 7 "
      "FROM generate_series(1, 210) i");
  const auto count = [&](fleet::EventQuery query) {
    query.count_max = 500;
    return events_.list_events(query)->size();
  };
  EXPECT_EQ(count({}), 210U);
  EXPECT_EQ(count({"even", "", "", 0, 0, 0}), 105U);
  EXPECT_EQ(count({"", "d1", "", 0, 0, 0}), 70U);
  EXPECT_EQ(count({"", "", "1.2", 0, 0, 0}), 42U);
  EXPECT_EQ(count({"", "", "", 3, 0, 0}), 30U);
  EXPECT_EQ(count({"even", "d1", "1.2", 3, 0, 0}), 1U);
  std::int64_t before = 0;
  std::size_t seen = 0;
  for (;;) {
    const auto page = events_.list_events({"odd", "", "", 0, before, 20});
    ASSERT_TRUE(page) << page.error().message;
    if (page->empty()) break;
    for (const auto& event : *page) {
      EXPECT_TRUE(before == 0 || event.id < before);
      before = event.id;
      ++seen;
    }
  }
  EXPECT_EQ(seen, 105U);
}

}  // namespace
}  // namespace ota::sql_test
