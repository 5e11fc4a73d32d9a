#include "sql/migrate.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/sql/fixture.hpp"

namespace ota::sql_test {
namespace {

using Content = TestDatabase::Content;

int count_of_migrations(const TestDatabase& database) {
  return std::stoi(database.value("SELECT count(*) FROM schema_migrations"));
}

TEST(Migrate, MakesAnEmptyDatabaseOnceAndThenHasNothingToDo) {
  const TestDatabase database(Content::empty);
  const auto first = sql::migrate(database.owner());
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_GT(*first, 0);
  EXPECT_EQ(count_of_migrations(database), *first);
  const auto again = sql::migrate(database.owner());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, 0);
}

TEST(Migrate, LeavesWhatSchemaSqlDescribes) {
  const TestDatabase by_migrations;
  const TestDatabase by_schema(Content::empty);
  by_schema.run_file("sql/schema.sql");
  EXPECT_EQ(by_migrations.schema(), by_schema.schema());
}

TEST(Migrate, RunsOverADatabaseMadeFromSchemaSqlWithoutChangingIt) {
  const TestDatabase database(Content::empty);
  database.run_file("sql/schema.sql");
  const auto before = database.schema();
  const auto applied = sql::migrate(database.owner());
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(database.schema(), before);
}

TEST(Migrate, LetsSeveralBridgesStartTogether) {
  const TestDatabase database(Content::empty);
  std::vector<fleet::Expected<int>> applied(4);
  std::vector<std::thread> bridges;
  for (auto& result : applied) {
    bridges.emplace_back([&result, &database] { result = sql::migrate(database.owner()); });
  }
  for (auto& bridge : bridges) bridge.join();
  int sum = 0;
  for (const auto& result : applied) {
    ASSERT_TRUE(result) << result.error().message;
    sum += *result;
  }
  EXPECT_EQ(sum, count_of_migrations(database));
}

TEST(Migrate, StopsWhenAnAppliedMigrationDiffers) {
  const TestDatabase database;
  database.value("UPDATE schema_migrations SET sha256 = 'other' WHERE number = 3");
  const auto applied = sql::migrate(database.owner());
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind, fleet::ErrorKind::conflict);
  EXPECT_NE(applied.error().message.find("0003_attempts_and_offers"), std::string::npos)
      << applied.error().message;
}

TEST(Migrate, StopsWhenTheDatabaseIsNewer) {
  const TestDatabase database;
  database.value(
      "INSERT INTO schema_migrations (number, name, sha256) VALUES (9999, '9999_from_tomorrow', '')");
  const auto applied = sql::migrate(database.owner());
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind, fleet::ErrorKind::conflict);
  EXPECT_NE(applied.error().message.find("newer"), std::string::npos) << applied.error().message;
}

TEST(Migrate, NeedsNoRightsWhenNothingIsMissing) {
  const TestDatabase database;
  const auto applied = sql::migrate(database.service());
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(*applied, 0);
}

TEST(Migrate, TellsARoleWithoutRightsWhatToDo) {
  const TestDatabase database(Content::empty);
  const auto applied = sql::migrate(database.service());
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind, fleet::ErrorKind::conflict);
  EXPECT_NE(applied.error().message.find("ota-bridge migrate"), std::string::npos) << applied.error().message;
}

TEST(Migrate, AppliesAllOfAMigrationOrNothing) {
  const TestDatabase database(Content::empty);
  // A table in the way that 0003 cannot use: its columns are others.
  database.value("CREATE TABLE offers (something_else integer)");
  const auto applied = sql::migrate(database.owner());
  ASSERT_FALSE(applied);
  EXPECT_NE(applied.error().message.find("0003_attempts_and_offers"), std::string::npos)
      << applied.error().message;
  EXPECT_EQ(database.value("SELECT max(number) FROM schema_migrations"), "2");
  EXPECT_EQ(database.value("SELECT count(*) FROM information_schema.columns "
                           "WHERE table_name = 'devices' AND column_name = 'seen_on_mqtt'"),
            "0");
}

TEST(Migrate, SaysWhenTheDatabaseIsAway) {
  sql::ConnectOptions nowhere;
  nowhere.conninfo = "host=/nonexistent dbname=none";
  const auto applied = sql::migrate(nowhere);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind, fleet::ErrorKind::unavailable);
}

}  // namespace
}  // namespace ota::sql_test
