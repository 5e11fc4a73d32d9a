#pragma once

#include <gtest/gtest.h>

#include <string>

#include "fleet/strict_json.hpp"
#include "sql/admin_store.hpp"
#include "sql/device_store.hpp"
#include "sql/event_store.hpp"
#include "sql/rollout_control.hpp"
#include "sql/rollout_store.hpp"
#include "tests/sql/fixture.hpp"

namespace ota::sql_test {

using fleet::ErrorKind;
using fleet::RolloutCommand;
using fleet::RolloutState;

/// A database with two releases, and what rollouts are made and led with.
class RolloutTest : public testing::Test {
 protected:
  RolloutTest() {
    database_.value(
        "INSERT INTO firmware_releases (version, device_model, file_path, file_size, checksum_sha256) VALUES "
        "('1.0.0', 'esp32', 'a.bin', 1, 'aa'), ('1.1.0', 'esp32', 'b.bin', 1, 'bb')");
  }

  std::int64_t create(const std::string& name, const std::string& policy = "{}") {
    fleet::NewRollout rollout;
    rollout.name = name;
    rollout.version = "1.1.0";
    rollout.model = "esp32";
    rollout.target_type = "all";
    rollout.policy = fleet::parse_policy(fleet::parse_json(policy).value()).value();
    rollout.by = "ann";
    const auto id = rollouts_.create_rollout(rollout);
    EXPECT_TRUE(id) << id.error().message;
    return id.value_or(0);
  }

  fleet::Expected<fleet::OrderOutcome> order(std::int64_t id, RolloutCommand command,
                                             bool acknowledge = false) {
    return rollouts_.order(id, {command, "ann", "because", acknowledge, {}});
  }

  void offer(const std::string& device, std::int64_t rollout, const std::string& origin, bool taken) {
    database_.value(
        "INSERT INTO offers (device_id, attempt_id, rollout_id, release_id, version, origin_version, open, "
        "taken) VALUES ('" +
        device + "', nextval('attempt_ids'), " + std::to_string(rollout) + ", 2, '1.1.0', '" + origin +
        "', false, " + (taken ? "true" : "false") + ")");
  }

  void attempt(const std::string& device, std::int64_t rollout, const std::string& status,
               const std::string& failure = "") {
    const bool final = status == "success" || status == "failed" || status == "rolled_back";
    database_.value(
        "INSERT INTO device_update_status (device_id, firmware_version, status, attempt_id, rollout_id, "
        "failure_kind, completed_at, error_message) VALUES ('" +
        device + "', '1.1.0', '" + status + "', nextval('attempt_ids'), " + std::to_string(rollout) +
        ", nullif('" + failure + "', ''), " + (final ? "now()" : "NULL") + ", 'it broke')");
  }

  std::string row(std::int64_t id, const std::string& columns) {
    return database_.value("SELECT " + columns +
                           " FROM rollout_configurations WHERE id = " + std::to_string(id));
  }
  std::string last_event() {
    return database_.value(
        "SELECT event_type || ' ' || coalesce(created_by, '') || ' ' || "
        "coalesce(event_data->>'state', '') || ' ' || coalesce(event_data->>'why', '') "
        "FROM ota_events ORDER BY id DESC LIMIT 1");
  }
  /// How often an event of that type was written for that rollout.
  std::string events_of(std::int64_t rollout, const std::string& type) {
    return database_.value("SELECT count(*) FROM ota_events WHERE rollout_id = " + std::to_string(rollout) +
                           " AND event_type = '" + type + "'");
  }
  std::string count_of_events() { return database_.value("SELECT count(*) FROM ota_events"); }

  TestDatabase database_;
  sql::ConnectionPool pool_{database_.service(), 2};
  sql::PgRolloutStore rollouts_{pool_};
  sql::PgReleaseStore releases_{pool_};
  sql::PgDeviceStore devices_{pool_};
  sql::PgEventStore events_{pool_};
  sql::PgRolloutControl control_{database_.service()};
};

}  // namespace ota::sql_test
