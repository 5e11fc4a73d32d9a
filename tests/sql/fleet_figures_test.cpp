// What counting costs: who shares a count, when none is needed, and by which index.
#include <gtest/gtest.h>

#include <chrono>
#include <pqxx/pqxx>
#include <thread>

#include "sql/admin_store.hpp"
#include "sql/counted.hpp"
#include "sql/transaction.hpp"
#include "tests/sql/fixture.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/refused.hpp"

namespace ota::sql_test {
namespace {

using namespace std::chrono_literals;
using test_support::eventually;
using Clock = std::chrono::steady_clock;

class Figures : public testing::Test {
 protected:
  /// Somebody else's transaction, which is open until commit().
  struct Other {
    explicit Other(const TestDatabase& database) : connection(database.owner().conninfo), work(connection) {}
    pqxx::connection connection;
    pqxx::work work;
  };

  std::string waiting() {
    return database_.value(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = "
        "'Lock'");
  }
  void add_device(const std::string& id) {
    database_.value("INSERT INTO devices (device_id, device_model) VALUES ('" + id + "', 'm')");
  }

  TestDatabase database_;
};

TEST_F(Figures, ManyWhoAskAtOnceShareOneCountAndOneConnection) {
  sql::ConnectionPool pool(database_.service(), 2, 100ms);
  sql::PgFleetReader reader(pool);
  Other other(database_);
  other.work.exec("LOCK TABLE devices IN ACCESS EXCLUSIVE MODE");
  std::vector<fleet::Expected<fleet::FleetSummary>> answers(8);
  std::vector<std::thread> asking;
  for (auto& answer : answers) asking.emplace_back([&] { answer = reader.recent_summary(); });
  const auto began = Clock::now();
  EXPECT_TRUE(eventually([&] { return waiting() == "1" && Clock::now() - began > 300ms; }));
  EXPECT_TRUE(pool.take()) << "one is left for the admins";
  other.work.commit();
  for (auto& thread : asking) thread.join();
  for (const auto& answer : answers) EXPECT_TRUE(answer) << answer.error().message;
}

TEST_F(Figures, ACountThatTookLongIsGoodForAWhileButNotForWhoNeedsItNow) {
  sql::ConnectionPool pool(database_.service(), 2);
  sql::PgFleetReader reader(pool);
  Other other(database_);
  other.work.exec("LOCK TABLE devices IN ACCESS EXCLUSIVE MODE");
  std::thread asking([&] { EXPECT_TRUE(reader.recent_summary()); });
  const auto began = Clock::now();
  EXPECT_TRUE(eventually([&] { return waiting() == "1" && Clock::now() - began > 300ms; }));
  other.work.commit();
  asking.join();
  add_device("a");
  EXPECT_EQ(reader.recent_summary()->total_devices, 0);
  EXPECT_EQ(reader.summary()->total_devices, 1);
}

TEST_F(Figures, ACountThatFailedIsNotKept) {
  auto impatient = database_.service();
  impatient.lock_timeout_ms = 200;
  sql::ConnectionPool pool(impatient, 1);
  sql::PgFleetReader reader(pool);
  Other other(database_);
  other.work.exec("LOCK TABLE devices IN ACCESS EXCLUSIVE MODE");
  EXPECT_EQ(test_support::refused(reader.recent_summary()).kind, fleet::ErrorKind::unavailable);
  other.work.commit();
  EXPECT_TRUE(reader.recent_summary());
}

TEST_F(Figures, NothingIsCountedAgainWhileNothingIsCommitted) {
  sql::Session session(database_.service());
  sql::Counted<int> counted;
  int counts = 0;
  const auto ask = [&](const std::string& of = {}) {
    return sql::in_transaction(session,
                               [&](sql::Session& s, pqxx::work& work) {
                                 return counted.get(
                                     s, work, [&] { return ++counts; }, of);
                               })
        .value_or(-1);
  };
  const auto comes_to_rest = [&] {  // the server's own upkeep commits now and then
    return eventually([&] {
      const int before = ask();
      return ask() == before;
    });
  };
  EXPECT_TRUE(comes_to_rest());
  const int before = counts;
  add_device("a");
  EXPECT_GT(ask(), before);
  EXPECT_TRUE(comes_to_rest());
  Other other(database_);
  other.work.exec("INSERT INTO devices (device_id, device_model) VALUES ('b', 'm')");
  EXPECT_TRUE(comes_to_rest()) << "an open transaction shows nothing yet";
  const int open = counts;
  other.work.commit();
  EXPECT_GT(ask(), open);
  EXPECT_TRUE(comes_to_rest());
  const int same = counts;
  EXPECT_GT(ask("something else"), same);
}

TEST_F(Figures, TheLastDaysUpdatesAreCountedByAnIndex) {
  database_.value(
      "INSERT INTO device_update_status (device_id, firmware_version, status, reported_at) SELECT 'd' || g, "
      "'1', 'success', now() - interval '30 days' - g * interval '1 minute' FROM generate_series(1, 50000) "
      "g");
  database_.value(
      "INSERT INTO device_update_status (device_id, firmware_version, status, reported_at) SELECT 'd' || g, "
      "'2', 'failed', now() - interval '23 hours 59 minutes 55 seconds' FROM generate_series(1, 7) g");
  database_.value("ANALYZE device_update_status");
  {
    sql::ConnectionPool pool(database_.service(), 1);  // its figures are complete once it has gone
    EXPECT_EQ(sql::PgFleetReader(pool).summary()->recent_updates_24h,
              (std::map<std::string, std::int64_t>{{"failed", 7}}));
  }
  EXPECT_TRUE(eventually([&] {
    return database_.value(
               "SELECT idx_tup_read > 0 FROM pg_stat_user_indexes WHERE indexrelname = "
               "'device_update_status_reported_at_idx'") == "t";
  }));
  EXPECT_EQ(
      database_.value("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'device_update_status'"),
      "0");
}

}  // namespace
}  // namespace ota::sql_test
