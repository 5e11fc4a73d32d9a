#include <atomic>
#include <thread>

#include "sql/catalog_store.hpp"
#include "sql/update_store.hpp"
#include "tests/sql/rollout_fixture.hpp"
#include "tests/support/refused.hpp"

namespace ota::sql_test {
namespace {

using test_support::refused;

class RolloutDevices : public RolloutTest {
 protected:
  void register_devices(const std::string& list) {
    database_.value("INSERT INTO devices (device_id, device_model) SELECT d, 'esp32' FROM unnest('{" + list +
                    "}'::text[]) d");
  }
  void set_offer(const std::string& device, const std::string& changes) {
    database_.value("UPDATE offers SET " + changes + " WHERE device_id = '" + device + "'");
  }
};

TEST_F(RolloutDevices, RetryReleasesThoseThatFailedAndNobodyElse) {
  const auto id = create("r");
  const auto other = create("other");
  register_devices("b,A,c,open,fine");
  for (const auto* device : {"b", "A", "open", "fine"}) offer(device, id, "1.0.0", true);
  offer("c", other, "1.0.0", true);
  database_.value("UPDATE offers SET failed_attempts = 3, failure_kind = 'failed', retry_at = now()");
  set_offer("fine", "failed_attempts = 0, failure_kind = NULL, retry_at = NULL");
  set_offer("open", "open = true");
  EXPECT_EQ(rollouts_.standing(id)->devices_held, 2);
  EXPECT_EQ(rollouts_.retry(id, "b", "ann").value(), std::vector<std::string>{"b"});
  EXPECT_EQ(last_event(), "rollout_updated ann running retry of b");
  EXPECT_EQ(rollouts_.retry(id, "", "ann").value(), std::vector<std::string>{"A"});
  EXPECT_EQ(last_event(), "rollout_updated ann running retry of 1 devices");
  EXPECT_TRUE(rollouts_.retry(id, "unknown", "ann")->empty());
  EXPECT_EQ(refused(rollouts_.retry(999, "", "ann")).kind, ErrorKind::not_found);
  EXPECT_EQ(database_.value("SELECT string_agg(device_id || failed_attempts, ',' ORDER BY device_id COLLATE "
                            "\"C\") FROM offers"),
            "A0,b0,c3,fine0,open3");
  EXPECT_EQ(database_.value("SELECT count(*) FROM offers WHERE device_id IN ('A', 'b') AND "
                            "(failure_kind IS NOT NULL OR retry_at IS NOT NULL)"),
            "0");
}

TEST_F(RolloutDevices, ADeviceIsHeldWhenTheRetriesOfItsKindOfFailureAreUsedUp) {
  const auto id = create("r", R"({"retries":{"failed":0,"timed_out":5}})");
  offer("a", id, "1.0.0", true);
  offer("b", id, "1.0.0", true);
  offer("c", id, "1.0.0", true);
  set_offer("a", "failed_attempts = 1, failure_kind = 'failed'");
  set_offer("b", "failed_attempts = 5, failure_kind = 'timed_out'");
  set_offer("c", "open = true, taken = false");
  const auto standing = rollouts_.standing(id);
  ASSERT_TRUE(standing) << standing.error().message;
  EXPECT_EQ(standing->devices_held, 1);
  EXPECT_EQ(standing->offers_standing, 1);
  EXPECT_EQ(refused(rollouts_.standing(999)).kind, ErrorKind::not_found);
}

TEST_F(RolloutDevices, ProgressOfSeveralRolloutsComesTogetherAndWithZeros) {
  const auto busy = create("busy");
  const auto idle = create("idle");
  attempt("a", busy, "success");
  attempt("b", busy, "downloading");
  const auto progress = control_.progress({busy, idle, 999});
  ASSERT_TRUE(progress) << progress.error().message;
  EXPECT_EQ(progress->size(), 2U);
  EXPECT_EQ(progress->at(busy).started, 2);
  EXPECT_EQ(progress->at(busy).succeeded, 1);
  EXPECT_EQ(progress->at(idle).started, 0);
  EXPECT_FALSE(progress->at(idle).due_devices.has_value());
  EXPECT_TRUE(control_.progress({})->empty());
  const auto standing = rollouts_.standing(busy);
  EXPECT_EQ(standing->by_status, (std::map<std::string, std::int64_t>{{"success", 1}, {"downloading", 1}}));
  EXPECT_EQ(standing->finished_last_hour, 1);
}

TEST_F(RolloutDevices, OnlyTheTenNewestFailuresAreTold) {
  const auto id = create("r");
  for (int i = 0; i < 12; ++i) attempt("d" + std::to_string(i), id, "failed", "timed_out");
  database_.value("UPDATE device_update_status SET completed_at = now() - id * interval '1 minute'");
  attempt("w", id, "failed", "withdrawn");
  const auto failures = control_.recent_failures(id);
  ASSERT_TRUE(failures) << failures.error().message;
  const auto& list = std::get<fleet::JsonValue::Array>(failures->value);
  ASSERT_EQ(list.size(), 10U);
  EXPECT_EQ(fleet::to_json(list[0]),
            R"({"device_id":"d0","error_message":"it broke","failure":"timed_out"})");
  database_.value("UPDATE rollout_configurations SET acknowledged_at = now()");
  EXPECT_EQ(fleet::to_json(control_.recent_failures(id).value()), "[]");
}

TEST_F(RolloutDevices, AnEndedAttemptIsNotDueWhateverItsRowStillSays) {
  const auto id = create("r");
  attempt("a", id, "success");
  attempt("b", id, "installing");
  database_.value("UPDATE device_update_status SET due_at = now() - interval '1 hour'");
  const auto due = control_.due_devices(now(), 10);
  ASSERT_TRUE(due) << due.error().message;
  ASSERT_EQ(due->size(), 1U);
  EXPECT_EQ((*due)[0].device_id, "b");
}

TEST_F(RolloutDevices, TwoBridgesAskForSlotsOneAfterTheOther) {
  const auto id = create("r");
  sql::PgUpdateStore one{database_.service()};
  ASSERT_TRUE(one.begin({check_of("a")}));
  EXPECT_EQ(one.free_slots(id, {1, 0}).value(), 1);
  std::atomic<int> second{-1};
  std::thread other([&] {
    sql::PgUpdateStore two{database_.service()};
    ASSERT_TRUE(two.begin({check_of("b")}));
    second = two.free_slots(id, {1, 0}).value_or(-2);
    two.rollback();
  });
  const auto waiting = [&] {
    return database_.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
  };
  for (int i = 0; i < 500 && waiting() != "1"; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(waiting(), "1");
  EXPECT_EQ(second, -1);
  fleet::Offer given;
  given.attempt_id = one.next_attempt_id().value();
  given.rollout_id = id;
  given.release_id = 2;
  given.version = "1.1.0";
  given.open = true;
  given.offered_at = now();
  fleet::BatchChanges changes;
  changes.offers.push_back({"a", given, now()});
  ASSERT_TRUE(one.commit(changes));
  other.join();
  EXPECT_EQ(second, 0) << "the first one's offer counts";
}

TEST_F(RolloutDevices, TheCatalogHoldsTheStateOfEachAndWhatIsWithdrawn) {
  const auto later = create("later", R"({"start_at":"2099-01-01T00:00:00Z"})");
  const auto paused = create("paused");
  ASSERT_TRUE(order(paused, RolloutCommand::pause));
  offer("a", paused, "1.0.0", true);
  const auto gone = create("gone");
  ASSERT_TRUE(order(gone, RolloutCommand::finish));
  const auto back = order(paused, RolloutCommand::roll_back);
  ASSERT_TRUE(back) << back.error().message;
  sql::PgCatalogStore catalogs{database_.service()};
  auto catalog = catalogs.load_catalog();
  ASSERT_TRUE(catalog) << catalog.error().message;
  ASSERT_NE(catalog->find_rollout(later), nullptr);
  EXPECT_EQ(catalog->find_rollout(later)->state, RolloutState::scheduled);
  EXPECT_EQ(catalog->find_rollout(gone), nullptr);
  EXPECT_EQ(catalog->find_rollout(paused), nullptr);
  ASSERT_NE(catalog->find_rollout(back->rollbacks.at(0)), nullptr);
  EXPECT_EQ(catalog->find_rollout(back->rollbacks.at(0))->rolls_back, paused);
  EXPECT_TRUE(catalog->find_rollout(back->rollbacks.at(0))->allow_downgrade);
  ASSERT_TRUE(releases_.withdraw_release("1.1.0", "esp32", "ann", "bricks"));
  ASSERT_TRUE(releases_.withdraw_release("1.1.0", "esp32", "ann", "bricks"));
  EXPECT_EQ(database_.value("SELECT count(*) FROM ota_events WHERE event_type = 'firmware_withdrawn'"), "1");
  catalog = catalogs.load_catalog();
  EXPECT_EQ(catalog->find_release("esp32", "1.1.0"), nullptr);
  ASSERT_NE(catalog->find_release(2), nullptr);
  EXPECT_TRUE(catalog->find_release(2)->withdrawn);
  EXPECT_EQ(refused(releases_.withdraw_release("9", "esp32", "ann", "")).kind, ErrorKind::not_found);
}

TEST_F(RolloutDevices, AReleaseWithAnOfferStandingIsKept) {
  const auto id = create("r");
  offer("a", id, "1.0.0", false);
  set_offer("a", "open = true");
  ASSERT_TRUE(order(id, RolloutCommand::finish));
  const auto refused = releases_.delete_release("1.1.0", "esp32", "ann");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::conflict);
  EXPECT_NE(refused.error().message.find("the offer of device a"), std::string::npos);
  set_offer("a", "open = false");
  EXPECT_TRUE(releases_.delete_release("1.1.0", "esp32", "ann"));
  EXPECT_EQ(database_.value("SELECT firmware_version || ' ' || created_by FROM ota_events WHERE event_type = "
                            "'firmware_deleted'"),
            "1.1.0 ann");
}

}  // namespace
}  // namespace ota::sql_test
