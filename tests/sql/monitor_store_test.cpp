#include "sql/monitor_store.hpp"

#include <gtest/gtest.h>

#include <pqxx/pqxx>
#include <set>
#include <thread>

#include "tests/sql/fixture.hpp"
#include "tests/support/eventually.hpp"

namespace ota::sql_test {
namespace {

using test_support::eventually;

constexpr auto kAddEvent = "INSERT INTO ota_events (event_type) VALUES ('x') RETURNING id";

class Monitor : public testing::Test {
 protected:
  std::vector<std::int64_t> next_ids(int count_max = 100) {
    const auto events = store_.next_events(count_max);
    EXPECT_TRUE(events) << events.error().message;
    std::vector<std::int64_t> ids;
    if (events) {
      for (const auto& event : *events) ids.push_back(event.id);
    }
    return ids;
  }

  void publish_all() {
    for (auto events = store_.next_events(100); events && !events->empty();
         events = store_.next_events(100)) {
      ASSERT_TRUE(store_.events_published(events->back().cursor));
    }
  }

  TestDatabase database_;
  sql::PgMonitorStore store_{database_.service()};
};

using Numbers = std::vector<std::int64_t>;

TEST_F(Monitor, TellsEventsInOrderUntilTheyArePublished) {
  for (int i = 0; i < 3; ++i) database_.value(kAddEvent);
  EXPECT_EQ(next_ids(), (Numbers{1, 2, 3}));
  EXPECT_EQ(next_ids(2), (Numbers{1, 2}));
  ASSERT_TRUE(store_.events_published(store_.next_events(2)->back().cursor));
  EXPECT_EQ(next_ids(), (Numbers{3}));
  sql::PgMonitorStore after_restart(database_.service());
  EXPECT_EQ(after_restart.next_events(10)->size(), 1U);
}

TEST_F(Monitor, AnEventComesWithAllItSays) {
  database_.value(
      "INSERT INTO ota_events (event_type, device_id, firmware_version, rollout_id, event_data, created_at, "
      "created_by) VALUES ('update_failed', 'a', '1.1.0', 7, '{\"k\": 1}', '2026-01-31 12:00:00+00', 'me')");
  const auto events = store_.next_events(1);
  ASSERT_TRUE(events && events->size() == 1);
  const auto& event = events->at(0);
  EXPECT_EQ(event.type, "update_failed");
  EXPECT_EQ(event.device_id, "a");
  EXPECT_EQ(event.version, "1.1.0");
  EXPECT_EQ(event.rollout_id, 7);
  EXPECT_EQ(event.data_json, "{\"k\": 1}");
  EXPECT_EQ(event.created_at, "2026-01-31T12:00:00.000000+00:00");
  EXPECT_EQ(event.by, "me");
}

TEST_F(Monitor, ACommitCannotSlipBehindTheCursor) {
  pqxx::connection slow(database_.owner().conninfo);
  pqxx::work open(slow);
  open.exec(kAddEvent);
  database_.value(kAddEvent);
  EXPECT_EQ(next_ids(), Numbers{}) << "an older transaction may still commit its events";
  open.commit();
  EXPECT_EQ(next_ids(), (Numbers{1, 2}));
}

TEST_F(Monitor, NothingIsLostOrTwiceWhileOthersWrite) {
  constexpr int kWriters = 4;
  constexpr int kEvents = 50;
  std::vector<std::thread> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.emplace_back([this] {
      pqxx::connection connection(database_.service().conninfo);
      for (int k = 0; k < kEvents; ++k) {
        pqxx::work work(connection);
        work.exec(kAddEvent);
        work.commit();
      }
    });
  }
  std::multiset<std::int64_t> seen;
  const auto read = [&] {
    const auto events = store_.next_events(7);
    if (!events || events->empty()) return;
    for (const auto& event : *events) seen.insert(event.id);
    EXPECT_TRUE(store_.events_published(events->back().cursor));
  };
  EXPECT_TRUE(eventually([&] { return read(), seen.size() == kWriters * kEvents; }));
  for (auto& writer : writers) writer.join();
  EXPECT_EQ(std::set<std::int64_t>(seen.begin(), seen.end()).size(), seen.size());
}

TEST_F(Monitor, GoesOnAfterARestoreIntoANewCluster) {
  database_.value(kAddEvent);
  database_.value(kAddEvent);
  // What a restore brings: rows and a cursor with transaction numbers that this cluster has not reached.
  database_.value("UPDATE ota_events SET txid = (1000000000 + id)::text::xid8");
  database_.value("UPDATE event_cursor SET txid = '1000000001', id = 1");
  EXPECT_EQ(next_ids(), Numbers{2}) << "the one that was not published yet";
  publish_all();
  database_.value(kAddEvent);
  EXPECT_TRUE(eventually([this] { return next_ids() == Numbers{3}; }));
  publish_all();
  EXPECT_EQ(next_ids(), Numbers{});
}

TEST_F(Monitor, ACursorNeverGoesBackAndMustBeOne) {
  database_.value(kAddEvent);
  database_.value(kAddEvent);
  const auto events = store_.next_events(10).value();
  ASSERT_TRUE(store_.events_published(events[1].cursor));
  ASSERT_TRUE(store_.events_published(events[0].cursor));
  EXPECT_EQ(next_ids(), Numbers{});
  for (const auto* wrong : {"", ":", "1", "1:", "a:b", "1:2;", "-1:2"}) {
    const auto refused = store_.events_published(wrong);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().kind, fleet::ErrorKind::invalid);
  }
}

TEST_F(Monitor, CountsEachRolloutsAttempts) {
  database_.value(
      "INSERT INTO rollout_configurations (name, firmware_version, device_model, target_type, state, "
      "rollout_percentage, updated_at) VALUES ('a', '1.1.0', 'esp32', 'all', 'running', 25, now()), "
      "('b', '1.1.0', 'esp32', 'all', 'paused', 100, now() - interval '1 year'), "
      "('just ended', '1.1.0', 'esp32', 'all', 'finished', 100, now()), "
      "('long ended', '1.1.0', 'esp32', 'all', 'finished', 100, now() - interval '2 days')");
  database_.value(
      "INSERT INTO device_update_status (device_id, firmware_version, status, rollout_id) VALUES "
      "('a', '1.1.0', 'success', 1), ('b', '1.1.0', 'success', 1), ('c', '1.1.0', 'failed', 1), "
      "('d', '1.1.0', 'pending', NULL)");
  const auto figures = store_.rollout_figures();
  ASSERT_TRUE(figures) << figures.error().message;
  ASSERT_EQ(figures->size(), 3U);
  EXPECT_EQ(figures->at(0).by_status, (std::map<std::string, std::int64_t>{{"success", 2}, {"failed", 1}}));
  EXPECT_EQ(figures->at(0).percentage, 25);
  EXPECT_EQ(figures->at(1).state, "paused");
  EXPECT_TRUE(figures->at(1).by_status.empty());
  EXPECT_EQ(figures->at(2).name, "just ended");
}

TEST_F(Monitor, OneLeadsUntilItGoes) {
  auto first = std::make_unique<sql::PgLeaderLock>(database_.service());
  sql::PgLeaderLock second(database_.service());
  EXPECT_TRUE(first->try_lead());
  EXPECT_TRUE(first->try_lead());
  EXPECT_FALSE(second.try_lead());
  first.reset();
  EXPECT_TRUE(eventually([&] { return second.try_lead(); }));
}

TEST_F(Monitor, ALeaderWhoseConnectionWasCutLeadsNoMore) {
  sql::PgLeaderLock first(database_.service());
  sql::PgLeaderLock second(database_.service());
  ASSERT_TRUE(first.try_lead());
  database_.value(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sql-test' "
      "AND datname = current_database() AND pid <> pg_backend_pid()");
  EXPECT_TRUE(eventually([&] { return second.try_lead(); }));
  EXPECT_FALSE(first.try_lead());
}

TEST_F(Monitor, AListenerIsWokenByAnotherThread) {
  sql::PgChangeListener listener(database_.service());
  ASSERT_TRUE(listener.wait(0));
  std::thread waker([&] { listener.wake(); });
  const auto began = std::chrono::steady_clock::now();
  const auto heard = listener.wait(60'000);
  waker.join();
  ASSERT_TRUE(heard) << heard.error().message;
  EXPECT_FALSE(heard->catalog);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(30));
}

TEST_F(Monitor, AListenerReconnectsAndSaysThatItMayHaveMissedSomething) {
  sql::PgChangeListener listener(database_.service());
  ASSERT_TRUE(listener.wait(0));
  database_.value(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sql-test' "
      "AND datname = current_database() AND pid <> pg_backend_pid()");
  EXPECT_TRUE(eventually([&] { return !listener.wait(100); })) << "the loss is told";
  EXPECT_TRUE(eventually([&] {
    const auto heard = listener.wait(100);
    return heard && heard->catalog;
  }));
}

}  // namespace
}  // namespace ota::sql_test
