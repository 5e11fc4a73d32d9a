#pragma once

#include <memory>
#include <string>

#include "fleet/ports/update_store.hpp"
#include "sql/connect_options.hpp"
#include "tests/support/stack.hpp"

namespace ota::sql_test {

/// The private PostgreSQL that all tests of an executable share.
test_support::Stack& stack();

/// A database of its own for one test. It goes with the stack: dropping it would wait for a checkpoint.
class TestDatabase {
 public:
  enum class Content { empty, migrated };
  explicit TestDatabase(Content content = Content::migrated);
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  /// Options for the adapters, as the owner of the tables and as the service's role.
  [[nodiscard]] sql::ConnectOptions owner() const;
  [[nodiscard]] sql::ConnectOptions service() const;

  /// Runs `sql` as the owner (or the service) and answers the first field, empty for NULL or no row. Throws
  /// std::exception with PostgreSQL's message.
  std::string value(const std::string& sql) const;
  std::string value_as_service(const std::string& sql) const;
  /// Runs a file by psql, as a person would; throws with its output.
  void run_file(const std::string& path, const std::string& variable = {}) const;
  /// pg_dump --schema-only, without lines that differ from run to run.
  [[nodiscard]] std::string schema() const;

 private:
  std::string name_;
};

/// A check of a device over MQTT at `version`.
fleet::Contact check_of(const std::string& device_id, const std::string& version = "1.0.0");
/// A contact through a report, which knows neither model nor version.
fleet::Contact report_of(const std::string& device_id);
fleet::Contact presence_of(const std::string& device_id, bool online);

/// Now, at PostgreSQL's resolution.
fleet::Time now();

}  // namespace ota::sql_test
