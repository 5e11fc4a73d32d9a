#include <gtest/gtest.h>

#include <pqxx/pqxx>
#include <thread>

#include "sql/catalog_store.hpp"
#include "sql/update_store.hpp"
#include "tests/sql/rollout_fixture.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/refused.hpp"

namespace ota::sql_test {
namespace {

using test_support::refused;

class Orders : public RolloutTest {};

TEST_F(Orders, EachOrderIsLoggedOnceWithWhoAndWhy) {
  const auto id = create("r");
  EXPECT_EQ(order(id, RolloutCommand::pause)->state, RolloutState::paused);
  EXPECT_EQ(last_event(), "rollout_updated ann paused because");
  EXPECT_EQ(count_of_events(), "2");
  const auto again = order(id, RolloutCommand::pause);
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->changed);
  EXPECT_EQ(count_of_events(), "2");
  EXPECT_EQ(row(id, "is_active"), "f");
}

TEST_F(Orders, WhatTheTableForbidsIsRefusedAndChangesNothing) {
  const auto id = create("r");
  ASSERT_TRUE(order(id, RolloutCommand::abort));
  const auto resumed = order(id, RolloutCommand::resume);
  ASSERT_FALSE(resumed);
  EXPECT_EQ(resumed.error().kind, ErrorKind::conflict);
  EXPECT_NE(resumed.error().message.find("aborted"), std::string::npos);
  EXPECT_EQ(row(id, "state"), "aborted");
  EXPECT_EQ(refused(order(999, RolloutCommand::pause)).kind, ErrorKind::not_found);
}

TEST_F(Orders, AStartInTheFutureIsScheduledAndOneInThePastRuns) {
  EXPECT_EQ(row(create("later", R"({"start_at":"2099-01-01T00:00:00Z"})"), "state"), "scheduled");
  EXPECT_EQ(row(create("now", R"({"start_at":"2020-01-01T00:00:00Z"})"), "state"), "running");
}

TEST_F(Orders, StagesBeginWithTheFirstPercentage) {
  const auto id = create("r", R"({"stages":[{"percentage":5},{"percentage":100}]})");
  EXPECT_EQ(row(id, "rollout_percentage"), "5");
  ASSERT_TRUE(control_.advance({id, 0, {1, 100, "all went well"}}));
  EXPECT_EQ(row(id, "rollout_percentage || ' ' || stage"), "100 1");
  EXPECT_EQ(last_event(), "rollout_advanced bridge running all went well");
  ASSERT_TRUE(control_.advance({id, 0, {1, 100, "a late one"}}));
  EXPECT_EQ(last_event(), "rollout_advanced bridge running all went well");
}

TEST_F(Orders, AHaltedRolloutIsResumedOnlyWithAnAcknowledgement) {
  const auto id = create("r");
  attempt("a", id, "failed", "failed");
  ASSERT_TRUE(control_.order(id, {RolloutCommand::pause, "bridge", "3 of 10 failed", false,
                                  R"({"why":"3 of 10 failed","devices":[]})"}));
  EXPECT_EQ(control_.progress({id})->at(id).failures_since[0], 1);
  const auto plain = order(id, RolloutCommand::resume);
  ASSERT_FALSE(plain);
  EXPECT_NE(plain.error().message.find("3 of 10 failed"), std::string::npos);
  EXPECT_NE(plain.error().message.find("acknowledge"), std::string::npos);
  ASSERT_TRUE(order(id, RolloutCommand::resume, true));
  EXPECT_EQ(row(id, "state || coalesce(halted::text, '')"), "running");
  EXPECT_EQ(control_.progress({id})->at(id).failures_since[0], 0);
  EXPECT_EQ(control_.progress({id})->at(id).finished, 1);
}

TEST_F(Orders, ARollbackMakesOneRolloutPerVersionTheDevicesCameFrom) {
  const auto id = create("r", R"({"rate":{"in_flight_max":3}})");
  offer("a", id, "1.0.0", true);
  offer("b", id, "1.0.0", false);
  offer("c", id, "0.9.0", true);
  const auto done = order(id, RolloutCommand::roll_back);
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_EQ(done->rollbacks.size(), 1U);
  EXPECT_EQ(done->no_way, (std::map<std::string, std::int64_t>{{"0.9.0", 1}}));
  EXPECT_EQ(row(id, "state"), "rolled_back");
  EXPECT_EQ(row(done->rollbacks[0],
                "name || ' ' || firmware_version || ' ' || allow_downgrade || ' ' || rolls_back"),
            "r rollback to 1.0.0 1.0.0 true " + std::to_string(id));
  EXPECT_EQ(row(done->rollbacks[0], "policy->'rate'->>'in_flight_max'"), "3");
  EXPECT_EQ(database_.value("SELECT count(*) FROM ota_events WHERE event_type = 'rollback_initiated'"), "1");
  EXPECT_EQ(order(id, RolloutCommand::roll_back)->rollbacks, done->rollbacks);
  EXPECT_EQ(refused(order(done->rollbacks[0], RolloutCommand::roll_back)).kind, ErrorKind::conflict);
}

TEST_F(Orders, ChangesByPsqlAreLoggedWithTheDatabaseUser) {
  const auto id = create("r");
  database_.value("UPDATE rollout_configurations SET is_active = false WHERE id = " + std::to_string(id));
  EXPECT_EQ(row(id, "state"), "paused");
  EXPECT_NE(last_event().find("paused changed by SQL"), std::string::npos) << last_event();
  ASSERT_TRUE(order(id, RolloutCommand::abort));
  database_.value("UPDATE rollout_configurations SET is_active = true WHERE id = " + std::to_string(id));
  EXPECT_EQ(row(id, "state"), "aborted");
}

TEST_F(Orders, APatchChangesThePolicyAndNothingElse) {
  const auto id = create("r", R"({"stages":[{"percentage":5},{"percentage":100}],"confirm_minutes":3})");
  auto policy = rollouts_.find_rollout(id)->policy;
  policy.rate.per_minute_max = 7;
  ASSERT_TRUE(
      rollouts_.patch_rollout(id, {std::nullopt, std::nullopt, R"({"device_ids":["a"]})", policy, "ann"}));
  const auto row = rollouts_.find_rollout(id);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->policy, policy);
  EXPECT_EQ(row->percentage, 5);
  EXPECT_EQ(row->target_filter_json, R"({"device_ids": ["a"]})");
}

TEST_F(Orders, ProgressCountsByKindAndLeavesWithdrawnOnesOut) {
  const auto id = create("r");
  attempt("a", id, "success");
  attempt("b", id, "failed", "timed_out");
  attempt("c", id, "rolled_back", "rolled_back");
  attempt("d", id, "failed", "withdrawn");
  attempt("e", id, "downloading");
  attempt("f", id, "failed");                    // from before there were kinds
  attempt("g", id, "downloading", "withdrawn");  // open, and replaced by a newer offer
  const auto progress = control_.progress({id})->at(id);
  EXPECT_EQ(progress.started, 5);
  EXPECT_EQ(progress.finished, 4);
  EXPECT_EQ(progress.succeeded, 1);
  EXPECT_EQ(progress.failures_since, (std::array<std::int64_t, 4>{1, 1, 1, 0}));
  EXPECT_EQ(std::get<fleet::JsonValue::Array>(control_.recent_failures(id)->value).size(), 3U);
}

TEST_F(Orders, WhatIsDueIsFoundTheLongestOverdueFirst) {
  const auto id = create("r");
  attempt("a", id, "downloading");
  offer("b", id, "1.0.0", true);
  database_.value("UPDATE device_update_status SET due_at = now() - interval '1 hour'");
  database_.value("UPDATE offers SET retry_at = now() - interval '2 hours'");
  const auto due = control_.due_devices(now(), 10);
  ASSERT_TRUE(due) << due.error().message;
  ASSERT_EQ(due->size(), 2U);
  EXPECT_EQ((*due)[0].device_id, "b");
  EXPECT_EQ((*due)[0].attempt_id, 0);
  EXPECT_EQ((*due)[1].device_id, "a");
  EXPECT_NE((*due)[1].attempt_id, 0);
  EXPECT_TRUE(control_.due_devices(now() - std::chrono::hours(3), 10)->empty());
}

TEST_F(Orders, RetryReleasesHeldDevices) {
  const auto id = create("r");
  offer("a", id, "1.0.0", true);
  database_.value("INSERT INTO devices (device_id, device_model) VALUES ('a', 'esp32')");
  database_.value("UPDATE offers SET failed_attempts = 3, failure_kind = 'failed', retry_at = now()");
  EXPECT_EQ(rollouts_.standing(id)->devices_held, 1);
  EXPECT_EQ(rollouts_.retry(id, "", "ann").value(), std::vector<std::string>{"a"});
  EXPECT_EQ(rollouts_.standing(id)->devices_held, 0);
  EXPECT_TRUE(rollouts_.retry(id, "", "ann")->empty());
}

TEST_F(Orders, SlotsFollowTheRateAndForgetOffersNobodyTook) {
  const auto id = create("r");
  offer("a", id, "1.0.0", true);
  offer("b", id, "1.0.0", false);
  database_.value("UPDATE offers SET open = true");
  sql::PgUpdateStore store{database_.service()};
  ASSERT_TRUE(store.begin({check_of("x")}));
  EXPECT_EQ(store.free_slots(id, {0, 5}).value(), 3);  // one under way, one just offered
  EXPECT_EQ(store.free_slots(id, {3, 0}).value(), 1);
  EXPECT_EQ(store.free_slots(id, {3, 2}).value(), 0);
  store.rollback();
  database_.value("UPDATE offers SET offered_at = now() - interval '61 seconds'");
  ASSERT_TRUE(store.begin({check_of("x")}));
  EXPECT_EQ(store.free_slots(id, {0, 5}).value(), 4);
  EXPECT_EQ(store.free_slots(id, {3, 0}).value(), 3);
}

TEST_F(Orders, TheCatalogKnowsPoliciesFreezesAndWhatWasAborted) {
  const auto id = create("r", R"({"confirm_minutes":3})");
  sql::PgCatalogStore catalogs{database_.service()};
  auto catalog = catalogs.load_catalog();
  ASSERT_TRUE(catalog);
  EXPECT_EQ(catalog->find_rollout(id)->policy.confirm_minutes, 3);
  EXPECT_FALSE(catalog->is_frozen());
  EXPECT_FALSE(catalog->find_release("esp32", "1.1.0")->aborted);
  EXPECT_TRUE(events_.set_frozen(true, "ann", "smoke").value());
  EXPECT_FALSE(events_.set_frozen(true, "ann", "smoke").value());
  ASSERT_TRUE(order(id, RolloutCommand::abort));
  catalog = catalogs.load_catalog();
  EXPECT_TRUE(catalog->is_frozen());
  EXPECT_TRUE(catalog->find_release("esp32", "1.1.0")->aborted);
  EXPECT_EQ(catalog->find_rollout(id), nullptr);
}

TEST_F(Orders, AReleaseInUseIsKeptAndAWithdrawnOneIsNotFound) {
  const auto id = create("r");
  EXPECT_EQ(refused(releases_.delete_release("1.1.0", "esp32", "ann")).kind, ErrorKind::conflict);
  ASSERT_TRUE(releases_.withdraw_release("1.1.0", "esp32", "ann", "bricks"));
  EXPECT_TRUE(releases_.find_releases("1.1.0", "esp32")->empty());
  const auto listed = releases_.list_releases("", {10}).value();
  for (const auto& release : listed.rows)
    EXPECT_EQ(release.withdrawn_at.empty(), release.version != "1.1.0") << release.version;
  EXPECT_TRUE(releases_.is_file_used("b.bin").value());
  ASSERT_TRUE(order(id, RolloutCommand::abort));
  EXPECT_EQ(releases_.delete_release("1.1.0", "esp32", "ann").value(), "b.bin");
  EXPECT_FALSE(releases_.is_file_used("b.bin").value());
  EXPECT_EQ(refused(releases_.delete_release("1.1.0", "esp32", "ann")).kind, ErrorKind::not_found);
}

TEST_F(Orders, OldEventsAreRemovedButNoneOfTheLastThirtyDays) {
  database_.value(
      "INSERT INTO ota_events (event_type, created_at) VALUES ('old', now() - interval '500 days'), "
      "('young', now() - interval '29 days')");
  EXPECT_EQ(control_.prune_events(now() + std::chrono::hours(1), 100).value(), 1);
  EXPECT_EQ(database_.value("SELECT string_agg(event_type, ',') FROM ota_events"), "young");
  EXPECT_ANY_THROW(database_.value_as_service("DELETE FROM ota_events"));
}

TEST_F(Orders, EventsAndRolloutsComeInPages) {
  const auto first = create("one");
  const auto second = create("two");
  fleet::RolloutQuery query;
  query.count_max = 1;
  EXPECT_EQ(rollouts_.list_rollouts(query)->at(0).id, second);
  query.before_id = second;
  EXPECT_EQ(rollouts_.list_rollouts(query)->at(0).id, first);
  query.state = RolloutState::aborted;
  EXPECT_TRUE(rollouts_.list_rollouts(query)->empty());
  fleet::EventQuery events;
  events.rollout_id = first;
  ASSERT_EQ(events_.list_events(events)->size(), 1U);
  EXPECT_EQ(events_.list_events(events)->at(0).type, "rollout_created");
  events.type = "nothing";
  EXPECT_TRUE(events_.list_events(events)->empty());
}

TEST_F(Orders, TheWayBackNeedsANewerManifestWhereManifestsHaveSequences) {
  const auto id = create("r");
  offer("a", id, "1.0.0", true);
  database_.value(
      "UPDATE firmware_releases SET manifest = 'm', manifest_sequence = CASE version WHEN '1.0.0' THEN 6 "
      "ELSE 7 END");
  const auto refused = order(id, RolloutCommand::roll_back);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::conflict);
  EXPECT_NE(refused.error().message.find("otactl sign IMAGE --model esp32 --version 1.0.0 --sequence 8"),
            std::string::npos)
      << refused.error().message;
  EXPECT_EQ(row(id, "state"), "running");
  database_.value("UPDATE firmware_releases SET manifest_sequence = 8 WHERE version = '1.0.0'");
  EXPECT_TRUE(order(id, RolloutCommand::roll_back));
}

// Both change the model's push_requests by a trigger, and both lock the release: in one order, or each waits
// for the other.
TEST_F(Orders, ARollbackAndAWithdrawalOfWhereItLeadsWaitForEachOtherInTurn) {
  const auto id = create("r");
  offer("a", id, "1.0.0", true);
  pqxx::connection connection(database_.owner().conninfo);
  pqxx::work withdrawal(connection);
  withdrawal.exec("SELECT FROM firmware_releases WHERE version = '1.0.0' FOR UPDATE");
  fleet::Expected<fleet::OrderOutcome> rolled_back;
  std::thread other([&] { rolled_back = order(id, RolloutCommand::roll_back); });
  EXPECT_TRUE(test_support::eventually([&] {
    return database_.value(
               "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
               "AND wait_event_type = 'Lock'") == "1";
  }));
  EXPECT_NO_THROW({
    withdrawal.exec("UPDATE firmware_releases SET withdrawn_at = now() WHERE version = '1.0.0'");
    withdrawal.commit();
  });
  other.join();
  ASSERT_TRUE(rolled_back) << rolled_back.error().message;
  EXPECT_TRUE(rolled_back->rollbacks.empty());
  EXPECT_EQ(rolled_back->no_way, (std::map<std::string, std::int64_t>{{"1.0.0", 1}}));
}

}  // namespace
}  // namespace ota::sql_test
