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

// Also of tables that are yet to come: a new one is nobody's until roles.sql names it.
TEST(Roles, TheServiceOwnsNothingAndHasNoRightBeyondRows) {
  const TestDatabase database;
  const auto role = "'" + stack().env("PG_SERVICE_USER") + "'";
  const auto listed = [&](const std::string& condition) {
    return database.value(
        "SELECT string_agg(relname, ', ') FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
        "WHERE n.nspname = 'public' AND relkind IN ('r', 'p', 'v', 'm', 'S') AND " +
        condition);
  };
  const auto may = [&](const std::string& right) {
    return "has_table_privilege(" + role + ", c.oid, '" + right + "')";
  };
  const std::string is_table = "relkind <> 'S' AND ";
  EXPECT_EQ(listed("pg_get_userbyid(relowner) = " + role), "");
  EXPECT_EQ(listed(is_table + "(" + may("REFERENCES") + " OR " + may("TRIGGER") + ")"), "");
  EXPECT_EQ(listed(is_table + may("TRUNCATE")), "retained_offers_seen");
  EXPECT_EQ(listed(is_table + "relname ~ 'event' AND relname <> 'event_cursor' AND (" + may("UPDATE") +
                   " OR " + may("DELETE") + ")"),
            "");
  EXPECT_EQ(listed("relname = 'schema_migrations' AND (" + may("INSERT") + " OR " + may("UPDATE") + " OR " +
                   may("DELETE") + ")"),
            "");
  EXPECT_EQ(database.value(
                "SELECT concat_ws(' ', rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication) "
                "FROM pg_roles WHERE rolname = " +
                role),
            "f f f f f");
  EXPECT_EQ(
      database.value("SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef "
                     "AND NOT coalesce(proconfig::text, '') ~ 'search_path'"),
      "0")
      << "a function with its owner's rights fixes its search_path";
}

TEST(Roles, GrantingTwiceIsFine) {
  const TestDatabase database;
  EXPECT_NO_THROW(database.run_file("sql/roles.sql", "runtime_role=" + stack().env("PG_SERVICE_USER")));
}

}  // namespace
}  // namespace ota::sql_test
