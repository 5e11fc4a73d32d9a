#include "tests/sql/fixture.hpp"

#include <atomic>
#include <map>
#include <pqxx/pqxx>
#include <sstream>
#include <stdexcept>

#include "sql/migrate.hpp"

namespace ota::sql_test {
namespace {

constexpr auto kTemplate = "migrated";

std::string first_field(const std::string& conninfo, const std::string& sql) {
  pqxx::connection connection(conninfo);
  pqxx::nontransaction work(connection);
  const auto rows = work.exec(sql);
  if (rows.empty() || rows[0].size() == 0 || rows[0][0].is_null()) return {};
  return rows[0][0].c_str();
}

std::map<std::string, std::string> psql_environment(const std::string& database) {
  return {{"PGHOST", stack().env("PGHOST")},
          {"PGPORT", stack().env("PGPORT")},
          {"PGUSER", stack().env("PGUSER")},
          {"PGPASSWORD", stack().env("PGPASSWORD")},
          {"PGDATABASE", database}};
}

void run_psql_file(const std::string& database, const std::string& path, const std::string& variable) {
  const auto result = test_support::run_command(
      {"psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", variable.empty() ? "none=1" : variable, "-f",
       std::string(OTA_SOURCE_DIR) + "/" + path},
      psql_environment(database));
  if (result.exit_status != 0) throw std::runtime_error(path + ": " + result.output);
}

sql::ConnectOptions options_for(const std::string& conninfo, const std::string& database) {
  sql::ConnectOptions options;
  options.conninfo = conninfo + " dbname=" + database;
  options.application_name = "sql-test";
  return options;
}

// Made once: each migrated database is a copy.
void make_template() {
  static const bool made = [] {
    first_field(stack().owner_conninfo(), std::string("CREATE DATABASE ") + kTemplate);
    const auto applied = sql::migrate(options_for(stack().owner_conninfo(), kTemplate));
    if (!applied) throw std::runtime_error(applied.error().message);
    run_psql_file(kTemplate, "sql/roles.sql", "runtime_role=" + stack().env("PG_SERVICE_USER"));
    return true;
  }();
  (void)made;
}

}  // namespace

test_support::Stack& stack() {
  static test_support::Stack shared({"postgres"});
  return shared;
}

TestDatabase::TestDatabase(Content content) {
  static std::atomic<int> count{0};
  name_ = "test_" + std::to_string(++count);
  std::string create = "CREATE DATABASE " + name_;
  if (content == Content::migrated) {
    make_template();
    create += std::string(" TEMPLATE ") + kTemplate;
  }
  first_field(stack().owner_conninfo(), create);
}

sql::ConnectOptions TestDatabase::owner() const {
  return options_for(stack().owner_conninfo(), name_);
}

sql::ConnectOptions TestDatabase::service() const {
  return options_for(stack().service_conninfo(), name_);
}

std::string TestDatabase::value(const std::string& sql) const {
  return first_field(owner().conninfo, sql);
}

std::string TestDatabase::value_as_service(const std::string& sql) const {
  return first_field(service().conninfo, sql);
}

void TestDatabase::run_file(const std::string& path, const std::string& variable) const {
  run_psql_file(name_, path, variable);
}

std::string TestDatabase::schema() const {
  const auto dump = test_support::run_command({"pg_dump", "--schema-only", "--no-owner", "--no-privileges"},
                                              psql_environment(name_));
  if (dump.exit_status != 0) throw std::runtime_error(dump.output);
  std::istringstream lines(dump.output);
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    const bool random = line.rfind("\\restrict", 0) == 0 || line.rfind("\\unrestrict", 0) == 0;
    if (!random) kept += line + "\n";
  }
  return kept;
}

fleet::Contact check_of(const std::string& device_id, const std::string& version) {
  fleet::Contact contact;
  contact.device_id = device_id;
  contact.model = "esp32";
  contact.version = version;
  contact.over_mqtt = true;
  contact.online = true;
  contact.seen_at = now();
  return contact;
}

fleet::Contact report_of(const std::string& device_id) {
  fleet::Contact contact;
  contact.device_id = device_id;
  contact.seen_at = now();
  return contact;
}

fleet::Contact presence_of(const std::string& device_id, bool online) {
  fleet::Contact contact = report_of(device_id);
  contact.online = online;
  contact.over_mqtt = true;
  contact.registers = false;
  contact.loads = false;
  return contact;
}

fleet::Time now() {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

}  // namespace ota::sql_test
