#include <gtest/gtest.h>

#include "tests/sql/fixture.hpp"

namespace ota::sql_test {
namespace {

// Whether PostgreSQL refuses the statement for want of rights (and for nothing else).
bool is_forbidden(const TestDatabase& database, const std::string& sql) {
  try {
    database.value_as_service(sql);
    return false;
  } catch (const std::exception& e) {
    const std::string message = e.what();
    return message.find("permission denied") != std::string::npos ||
           message.find("must be owner") != std::string::npos;
  }
}

TEST(Roles, TheServiceCannotEditTheAuditLog) {
  const TestDatabase database;
  EXPECT_NO_THROW(database.value_as_service("INSERT INTO ota_events (event_type) VALUES ('x')"));
  for (const auto* sql :
       {"UPDATE ota_events SET event_type = 'y'", "DELETE FROM ota_events", "TRUNCATE ota_events"}) {
    EXPECT_TRUE(is_forbidden(database, sql)) << sql;
  }
}

TEST(Roles, TheServiceCannotChangeTheSchema) {
  const TestDatabase database;
  for (const auto* sql : {"CREATE TABLE public.x (a integer)", "DROP TABLE devices",
                          "DROP TRIGGER rollout_updated ON "
                          "rollout_configurations",
                          "ALTER TABLE devices ADD COLUMN x integer",
                          "CREATE FUNCTION public.f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
                          "CREATE INDEX ON devices (metadata)", "TRUNCATE devices",
                          "DELETE FROM device_update_status", "DELETE FROM rollout_configurations",
                          "DELETE FROM device_certificates", "UPDATE schema_migrations SET sha256 = ''"}) {
    EXPECT_TRUE(is_forbidden(database, sql)) << sql;
  }
}

TEST(Roles, GrantingTwiceIsFine) {
  const TestDatabase database;
  EXPECT_NO_THROW(database.run_file("sql/roles.sql", "runtime_role=" + stack().env("PG_SERVICE_USER")));
}

}  // namespace
}  // namespace ota::sql_test
