#include <gtest/gtest.h>

#include <pqxx/pqxx>

#include "sql/admin_store.hpp"
#include "sql/catalog_store.hpp"
#include "sql/errors.hpp"
#include "sql/monitor_store.hpp"
#include "sql/update_store.hpp"
#include "tests/sql/fixture.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/refused.hpp"

namespace ota::sql_test {
namespace {

using fleet::ErrorKind;
using test_support::eventually;
using test_support::refused;

class Faults : public testing::Test {
 protected:
  void cut_connections() {
    database_.value(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid()");
    ASSERT_TRUE(eventually([this] {
      return database_.value(
                 "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                 "AND pid <> pg_backend_pid()") == "0";
    }));
  }

  bool registers(sql::PgUpdateStore& store, const std::string& id = "a") {
    return store.begin({check_of(id)}) && store.commit({});
  }

  TestDatabase database_;
};

TEST_F(Faults, AConnectionCutBetweenBatchesIsReplacedUnnoticed) {
  sql::PgUpdateStore store(database_.service());
  sql::ConnectionPool pool(database_.service(), 1);
  sql::PgFleetReader reader(pool);
  ASSERT_TRUE(registers(store) && reader.summary() && reader.ping());
  // Connecting is tried at most once a second.
  ASSERT_TRUE(eventually([&, began = std::chrono::steady_clock::now()] {
    return std::chrono::steady_clock::now() - began > std::chrono::milliseconds(1100);
  }));
  cut_connections();
  EXPECT_TRUE(registers(store));
  EXPECT_TRUE(reader.summary());
}

TEST_F(Faults, AConnectionCutWithinATransactionIsInDoubtAtTheCommit) {
  sql::PgUpdateStore store(database_.service());
  ASSERT_TRUE(store.begin({check_of("a")}));
  cut_connections();
  const auto committed = store.commit({});
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().kind, ErrorKind::in_doubt) << committed.error().message;
  EXPECT_EQ(database_.value("SELECT count(*) FROM devices"), "0");
  EXPECT_TRUE(eventually([&] { return registers(store); }));
}

TEST_F(Faults, AConnectionCutBeforeAFindIsUnavailable) {
  sql::PgUpdateStore store(database_.service());
  ASSERT_TRUE(store.begin({check_of("a")}));
  cut_connections();
  const auto found = store.find_attempt("a", 1);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::unavailable) << found.error().message;
  EXPECT_TRUE(eventually([&] { return registers(store); }));
}

TEST_F(Faults, ALockOfSomebodyElseIsToldApartAndNothingIsRecorded) {
  sql::PgUpdateStore store(database_.service());
  ASSERT_TRUE(registers(store));
  pqxx::connection other(database_.owner().conninfo);
  pqxx::work lock(other);
  lock.exec("LOCK TABLE devices IN EXCLUSIVE MODE");
  for (const auto wait : {fleet::LockWait::usual, fleet::LockWait::brief}) {
    const auto began = std::chrono::steady_clock::now();
    const auto devices = store.begin({check_of("a", "2.0.0")}, wait);
    ASSERT_FALSE(devices);
    EXPECT_EQ(devices.error().kind, ErrorKind::unavailable) << devices.error().message;
    EXPECT_TRUE(devices.error().met_lock);
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
  }
  lock.commit();
  EXPECT_EQ(database_.value("SELECT current_firmware_version FROM devices"), "1.0.0");
  EXPECT_TRUE(registers(store));
}

TEST_F(Faults, AReadOnlyDatabaseIsUnavailableUntilItIsWritableAgain) {
  sql::PgUpdateStore store(database_.service());
  ASSERT_TRUE(registers(store));
  const auto set_read_only = [name = database_.value("SELECT current_database()")](const std::string& value) {
    pqxx::connection elsewhere(stack().owner_conninfo());
    pqxx::nontransaction(elsewhere).exec("ALTER DATABASE " + name +
                                         " SET default_transaction_read_only = " + value);
  };
  set_read_only("on");
  cut_connections();
  const auto refused = [&] {
    const auto devices = store.begin({check_of("b")});
    return !devices && devices.error().kind == ErrorKind::unavailable &&
           devices.error().message.find("read-only") != std::string::npos;
  };
  EXPECT_TRUE(eventually(refused));
  set_read_only("off");
  EXPECT_TRUE(eventually([&] { return registers(store, "b"); }));
}

TEST_F(Faults, EverythingRecoversFromARestartOfPostgres) {
  sql::PgUpdateStore store(database_.service());
  sql::PgCatalogStore catalog(database_.service());
  sql::ConnectionPool pool(database_.service(), 2);
  sql::PgFleetReader reader(pool);
  ASSERT_TRUE(registers(store) && catalog.load_catalog() && reader.summary() && reader.ping());

  stack().kill("postgres");
  // A backend may outlive its killed postmaster for a moment.
  const auto becomes_unavailable = [](const auto& ask) {
    return eventually([&] {
      const auto answer = ask();
      return !answer && answer.error().kind == ErrorKind::unavailable;
    });
  };
  EXPECT_TRUE(becomes_unavailable([&] { return store.begin({check_of("a")}); }));
  EXPECT_TRUE(becomes_unavailable([&] { return reader.summary(); }));
  EXPECT_TRUE(becomes_unavailable([&] { return catalog.load_catalog(); }));
  EXPECT_TRUE(becomes_unavailable([&] { return reader.ping(); }));
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(refused(reader.ping()).kind, ErrorKind::unavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(3));

  stack().up({"postgres"});
  EXPECT_TRUE(eventually([&] { return registers(store, "b") && reader.ping() && reader.summary(); }));
  EXPECT_TRUE(eventually([&] { return catalog.load_catalog().has_value(); }));
  EXPECT_EQ(database_.value("SELECT count(*) FROM devices"), "2");
}

TEST_F(Faults, AFrozenServerDoesNotKeepPingWaiting) {
  sql::ConnectionPool pool(database_.service(), 1);
  sql::PgFleetReader reader(pool);
  ASSERT_TRUE(reader.ping());
  const auto backend = std::stoi(database_.value(
      "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"));
  ASSERT_EQ(::kill(backend, SIGSTOP), 0);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_FALSE(reader.ping());
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
  ASSERT_EQ(::kill(backend, SIGCONT), 0);
  EXPECT_TRUE(eventually([&] { return reader.ping().has_value(); }));
}

TEST_F(Faults, OfSeveralHostsTheOneThatAnswersIsUsed) {
  auto options = database_.service();
  const auto host = stack().env("PGHOST");
  options.conninfo += " host=/nonexistent," + host + " port=5432," + stack().env("PGPORT");
  sql::PgUpdateStore store(options);
  sql::ConnectionPool pool(options, 1);
  sql::PgFleetReader reader(pool);
  sql::PgLeaderLock lock(options);
  sql::PgChangeListener listener(options);
  EXPECT_TRUE(registers(store));
  EXPECT_TRUE(reader.ping());
  EXPECT_TRUE(reader.summary());
  EXPECT_TRUE(lock.try_lead());
  EXPECT_TRUE(listener.wait(0));
}

struct SqlState {
  const char* state;
  ErrorKind kind;
};

class SqlStates : public testing::TestWithParam<SqlState> {};

TEST_P(SqlStates, TellTheCallerWhatToDo) {
  EXPECT_EQ(sql::kind_of_sqlstate(GetParam().state), GetParam().kind) << GetParam().state;
}

INSTANTIATE_TEST_SUITE_P(
    Appendix, SqlStates,
    testing::Values(SqlState{"08006", ErrorKind::unavailable}, SqlState{"22P02", ErrorKind::invalid},
                    SqlState{"23505", ErrorKind::invalid}, SqlState{"25006", ErrorKind::unavailable},
                    SqlState{"40P01", ErrorKind::unavailable}, SqlState{"40001", ErrorKind::unavailable},
                    SqlState{"42P01", ErrorKind::internal}, SqlState{"53100", ErrorKind::unavailable},
                    SqlState{"55P03", ErrorKind::unavailable}, SqlState{"57014", ErrorKind::unavailable},
                    SqlState{"57P01", ErrorKind::unavailable}, SqlState{"", ErrorKind::internal}));

}  // namespace
}  // namespace ota::sql_test
