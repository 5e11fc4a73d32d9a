#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "sql/update_store.hpp"
#include "tests/sql/fixture.hpp"
#include "tests/support/eventually.hpp"

namespace ota::sql_test {
namespace {

using fleet::Attempt;
using fleet::BatchChanges;
using fleet::Offer;
using fleet::Status;

/// What commit() writes and the finders read.
class Batch : public testing::Test {
 protected:
  void begin(const std::vector<std::string>& ids) {
    std::vector<fleet::Contact> contacts;
    for (const auto& id : ids) contacts.push_back(check_of(id));
    const auto devices = store_.begin(contacts);
    ASSERT_TRUE(devices) << devices.error().message;
  }

  void commit(const BatchChanges& changes) {
    const auto committed = store_.commit(changes);
    ASSERT_TRUE(committed) << committed.error().message;
  }

  Offer offer_of(std::int64_t attempt_id) {
    Offer offer;
    offer.attempt_id = attempt_id;
    offer.rollout_id = 7;
    offer.release_id = 3;
    offer.version = "1.1.0";
    offer.from_version = "1.0.0";
    offer.failed_attempts = 1;
    offer.wanted_revision = 1;
    return offer;
  }

  Attempt attempt_of(std::int64_t id, Status status) {
    Attempt attempt;
    attempt.id = id;
    attempt.rollout_id = 7;
    attempt.version = "1.1.0";
    attempt.status = status;
    attempt.progress_percent = 40;
    attempt.error = "it's \"broken\"";
    attempt.boot_id = "boot-1";
    attempt.started_at = start_;
    attempt.changed_at = now();
    return attempt;
  }

  const fleet::Time start_ = now();
  TestDatabase database_;
  sql::PgUpdateStore store_{database_.service()};
};

TEST_F(Batch, APlanMadeForASmallFleetReadsNoLargeOne) {
  const auto rows_read = [&] {
    return std::stoll(database_.value(
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'devices'"));
  };
  auto store = std::make_unique<sql::PgUpdateStore>(database_.service());
  const auto run_batch = [&] {
    ASSERT_TRUE(store->begin({check_of("d7"), check_of("d8")}));
    ASSERT_TRUE(store->commit({}));
  };
  run_batch();  // makes the plans
  database_.value(
      "INSERT INTO devices (device_id, device_model) SELECT 'e' || n, 'esp32' FROM generate_series(1, 20000) "
      "n");
  const auto before = rows_read();
  for (int i = 0; i < 20; ++i) run_batch();
  store.reset();  // a session that ends tells what it has read
  EXPECT_TRUE(test_support::eventually([&] { return rows_read() > before; }));
  EXPECT_LT(rows_read() - before, 2000);
}

TEST_F(Batch, AttemptIdsAreNewAcrossStoresAndRestarts) {
  std::set<std::int64_t> seen;
  sql::PgUpdateStore other(database_.service());
  for (int i = 0; i < 600; ++i) {
    EXPECT_TRUE(seen.insert(store_.next_attempt_id().value()).second);
    EXPECT_TRUE(seen.insert(other.next_attempt_id().value()).second);
  }
  EXPECT_TRUE(seen.insert(sql::PgUpdateStore(database_.service()).next_attempt_id().value()).second);
  EXPECT_GT(*seen.begin(), 0);
}

TEST_F(Batch, AnOfferAndItsAttemptComeBackAsTheyWere) {
  begin({"a"});
  const auto offer = offer_of(11);
  const auto attempt = attempt_of(11, Status::downloading);
  BatchChanges changes;
  changes.offers.push_back({"a", offer, now()});
  changes.attempts.push_back({"a", attempt, now()});
  commit(changes);

  const auto devices = store_.begin({report_of("a")});
  ASSERT_TRUE(devices) << devices.error().message;
  const auto& device = devices->at(0);
  ASSERT_TRUE(device.offer);
  EXPECT_EQ(device.offer->attempt_id, 11);
  EXPECT_EQ(device.offer->rollout_id, 7);
  EXPECT_EQ(device.offer->release_id, 3);
  EXPECT_EQ(device.offer->version, "1.1.0");
  EXPECT_EQ(device.offer->from_version, "1.0.0");
  EXPECT_TRUE(device.offer->open);
  EXPECT_FALSE(device.offer->taken);
  EXPECT_EQ(device.offer->failed_attempts, 1);
  EXPECT_EQ(device.offer->wanted_revision, 1);
  EXPECT_EQ(device.offer->published_revision, 0);
  ASSERT_TRUE(device.attempt);
  EXPECT_EQ(device.attempt->id, 11);
  EXPECT_EQ(device.attempt->rollout_id, 7);
  EXPECT_EQ(device.attempt->version, "1.1.0");
  EXPECT_EQ(device.attempt->status, Status::downloading);
  EXPECT_EQ(device.attempt->progress_percent, 40);
  EXPECT_EQ(device.attempt->error, attempt.error);
  EXPECT_EQ(device.attempt->boot_id, "boot-1");
  EXPECT_EQ(device.attempt->changed_at, attempt.changed_at);
  EXPECT_EQ(device.attempt->started_at, attempt.started_at);
}

TEST_F(Batch, TheNewestOpenAttemptBesidesTheOffersComesAlong) {
  begin({"a", "b"});
  BatchChanges changes;
  changes.offers.push_back({"a", offer_of(11), now()});
  for (const auto& [id, status] : {std::pair{11, Status::downloading},
                                   {12, Status::downloading},
                                   {13, Status::installing},
                                   {14, Status::failed}}) {
    auto attempt = attempt_of(id, status);
    attempt.started_at += std::chrono::minutes(id);
    if (!fleet::is_final(status)) attempt.due_at = now();
    changes.attempts.push_back({"a", attempt, now()});
  }
  commit(changes);
  const auto devices = store_.begin({check_of("a"), check_of("b")});
  ASSERT_TRUE(devices) << devices.error().message;
  EXPECT_EQ(devices->at(0).attempt->id, 11);
  ASSERT_TRUE(devices->at(0).other_attempt);
  EXPECT_EQ(devices->at(0).other_attempt->id, 13);
  EXPECT_EQ(devices->at(0).other_attempt->status, Status::installing);
  EXPECT_FALSE(devices->at(1).other_attempt);
  EXPECT_FALSE(devices->at(0).revoked);
}

TEST_F(Batch, AnAttemptIsOneRowMovedForward) {
  for (const auto status : {Status::pending, Status::downloading, Status::success}) {
    begin({"a"});
    BatchChanges changes;
    changes.attempts.push_back(
        {"a", attempt_of(11, status), start_ + std::chrono::minutes(static_cast<int>(status))});
    commit(changes);
  }
  EXPECT_EQ(database_.value("SELECT count(*) FROM device_update_status"), "1");
  EXPECT_EQ(database_.value(
                "SELECT status || ' ' || (completed_at - started_at) || ' ' || (reported_at = completed_at) "
                "FROM device_update_status"),
            "success 00:04:00 true");
}

TEST_F(Batch, ARepetitionKeepsTheTimeOfCompletion) {
  for (int minute = 0; minute < 3; ++minute) {
    begin({"a"});
    BatchChanges changes;
    changes.attempts.push_back({"a", attempt_of(11, Status::failed), start_ + std::chrono::minutes(minute)});
    commit(changes);
  }
  EXPECT_EQ(database_.value("SELECT (completed_at = started_at) || ' ' || (reported_at - started_at) "
                            "FROM device_update_status"),
            "true 00:02:00");
}

TEST_F(Batch, AFailedAttemptThatSucceedsAfterAllCompletesAnew) {
  for (const auto status : {Status::failed, Status::success}) {
    begin({"a"});
    BatchChanges changes;
    const auto at = start_ + std::chrono::minutes(status == Status::success ? 5 : 0);
    changes.attempts.push_back({"a", attempt_of(11, status), at});
    commit(changes);
  }
  EXPECT_EQ(database_.value("SELECT completed_at - started_at FROM device_update_status"), "00:05:00");
}

TEST_F(Batch, AnAttemptIsFoundByItsOwnDeviceOnly) {
  begin({"a", "b"});
  BatchChanges changes;
  changes.attempts.push_back({"a", attempt_of(11, Status::pending), now()});
  commit(changes);
  begin({"a", "b"});
  ASSERT_TRUE(*store_.find_attempt("a", 11));
  EXPECT_EQ((*store_.find_attempt("a", 11))->version, "1.1.0");
  EXPECT_FALSE(*store_.find_attempt("b", 11));
  EXPECT_FALSE(*store_.find_attempt("a", 12));
  store_.rollback();
}

TEST_F(Batch, OfAVersionAnOpenAttemptIsFoundBeforeALaterFinalOne) {
  for (const auto& [id, status] :
       {std::pair{11, Status::pending}, {12, Status::downloading}, {13, Status::failed}}) {
    begin({"a"});
    BatchChanges changes;
    changes.attempts.push_back({"a", attempt_of(id, status), now()});
    commit(changes);
  }
  begin({"a"});
  const auto found = store_.find_attempt_at("a", "1.1.0", 0);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->id, 12);
  EXPECT_EQ((*store_.find_attempt_at("a", "1.1.0", 12))->id, 11) << "another than that one";
  EXPECT_FALSE(*store_.find_attempt_at("a", "1.2.0", 0));
  EXPECT_FALSE(*store_.find_attempt_at("b", "1.1.0", 0));
  store_.rollback();
}

TEST_F(Batch, SavingAnOfferNeverTakesPublishedBack) {
  begin({"a"});
  BatchChanges changes;
  changes.offers.push_back({"a", offer_of(11), now()});
  commit(changes);
  begin({"a"});
  database_.value("UPDATE offers SET published_revision = 1");  // the broker acknowledged in between
  auto offer = offer_of(11);
  offer.wanted_revision = 2;
  offer.taken = true;
  changes.offers = {{"a", offer, now()}};
  commit(changes);
  EXPECT_EQ(
      database_.value("SELECT wanted_revision || ' ' || published_revision || ' ' || taken FROM offers"),
      "2 1 true");
}

TEST_F(Batch, WritesVersionsBootsAndEvents) {
  begin({"a", "b"});
  BatchChanges changes;
  changes.versions = {{"a", "1.1.0"}, {"b", "1.0.0"}};
  changes.boots = {{"b", "boot-7"}};
  fleet::JsonValue data;
  data.value =
      fleet::JsonValue::Object{{"attempt_id", {std::int64_t{11}}}, {"note", {std::string("it's \"so\"")}}};
  changes.events.push_back({"update_started", "a", "1.1.0", 7, data, "bridge"});
  changes.events.push_back({"mac_refused", "b", "", 0, {}, "bridge"});
  commit(changes);
  EXPECT_EQ(
      database_.value("SELECT string_agg(current_firmware_version, ',' ORDER BY device_id) FROM devices"),
      "1.1.0,1.0.0");
  EXPECT_EQ(database_.value("SELECT device_id || boot_id FROM devices WHERE boot_id IS NOT NULL"), "bboot-7");
  EXPECT_EQ(database_.value(
                "SELECT event_data FROM ota_events WHERE event_type = 'update_started' AND device_id = 'a' "
                "AND firmware_version = '1.1.0' AND rollout_id = 7 AND created_by = 'bridge'"),
            R"({"note": "it's \"so\"", "attempt_id": 11})");
  EXPECT_EQ(database_.value("SELECT event_data FROM ota_events WHERE event_type = 'mac_refused' "
                            "AND firmware_version IS NULL AND rollout_id IS NULL"),
            "{}");
}

TEST_F(Batch, ABadRowTakesTheWholeBatchBack) {
  begin({"a"});
  BatchChanges changes;
  changes.versions = {{"a", "1.1.0"}};
  auto attempt = attempt_of(11, Status::pending);
  attempt.progress_percent = 101;
  changes.attempts.push_back({"a", attempt, now()});
  const auto committed = store_.commit(changes);
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().kind, fleet::ErrorKind::invalid);
  EXPECT_EQ(database_.value("SELECT count(*) FROM devices"), "0");
  begin({"a"});
  commit({});
}

}  // namespace
}  // namespace ota::sql_test
