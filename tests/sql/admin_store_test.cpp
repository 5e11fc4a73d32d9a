#include "sql/admin_store.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "sql/rollout_store.hpp"
#include "tests/sql/fixture.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/refused.hpp"

namespace ota::sql_test {
namespace {

using fleet::ErrorKind;
using test_support::refused;

class Admin : public testing::Test {
 protected:
  fleet::NewRelease release_of(const std::string& version, const std::string& sha256 = "aa") {
    fleet::NewRelease release;
    release.version = version;
    release.model = "esp32";
    release.file_path = sha256 + ".bin";
    release.size_bytes = 3'000'000'000;
    release.sha256 = sha256;
    release.notes = "it's \"new\"";
    release.by = "admin";
    return release;
  }

  fleet::NewRollout rollout_of(const std::string& name) {
    fleet::NewRollout rollout;
    rollout.name = name;
    rollout.version = "1.0.0";
    rollout.model = "esp32";
    rollout.target_type = "canary";
    rollout.target_filter_json = R"({"exclude_device_ids": ["a"]})";
    rollout.percentage = 10;
    rollout.by = "admin";
    return rollout;
  }

  std::int64_t create(const std::string& name, bool is_active = true) {
    if (!releases_.add_release(release_of("1.0.0"))) ADD_FAILURE() << "no release";
    auto rollout = rollout_of(name);
    rollout.is_active = is_active;
    const auto id = rollouts_.create_rollout(rollout);
    EXPECT_TRUE(id) << id.error().message;
    return id.value_or(0);
  }

  fleet::Expected<fleet::OrderOutcome> finish(std::int64_t id) {
    return rollouts_.order(id, {fleet::RolloutCommand::finish, "admin", {}, false, {}});
  }

  std::string events() {
    return database_.value("SELECT string_agg(event_type, ',' ORDER BY id) FROM ota_events");
  }
  std::string state_of(std::int64_t id) {
    return database_.value(
        "SELECT state || ' ' || is_active || ' ' || rollout_percentage "
        "FROM rollout_configurations WHERE id = " +
        std::to_string(id));
  }

  TestDatabase database_;
  sql::ConnectionPool pool_{database_.service(), 2};
  sql::PgReleaseStore releases_{pool_};
  sql::PgRolloutStore rollouts_{pool_};
  sql::PgFleetReader reader_{pool_};
};

TEST_F(Admin, AddsAReleaseOnceWithItsEvent) {
  const auto added = releases_.add_release(release_of("1.0.0"));
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_TRUE(*added);
  EXPECT_FALSE(releases_.add_release(release_of("1.0.0")).value());
  EXPECT_EQ(events(), "firmware_uploaded");
  const auto listed = releases_.list_releases("esp32", {10});
  ASSERT_TRUE(listed && listed->rows.size() == 1);
  EXPECT_EQ(listed->rows.at(0).size_bytes, 3'000'000'000);
  EXPECT_EQ(listed->rows.at(0).notes, "it's \"new\"");
  EXPECT_EQ(listed->rows.at(0).file_path, "aa.bin");
}

TEST_F(Admin, KeepsWhatTheInspectionFoundWithTheReleaseAndItsEvent) {
  auto release = release_of("1.0.0");
  release.image_json = R"({"chip": "esp32"})";
  release.forced = "it is merged";
  ASSERT_TRUE(releases_.add_release(release));
  ASSERT_TRUE(releases_.add_release(release_of("1.1.0", "bb")));
  const auto listed = releases_.list_releases("esp32", {10}).value().rows;
  EXPECT_EQ(listed.at(1).image_json, R"({"chip": "esp32"})");
  EXPECT_EQ(listed.at(1).forced, "it is merged");
  EXPECT_EQ(listed.at(0).image_json, "");
  EXPECT_EQ(listed.at(0).forced, "");
  EXPECT_EQ(
      database_.value("SELECT (event_data->'image'->>'chip') || (event_data->>'forced') FROM ota_events "
                      "WHERE event_type = 'firmware_uploaded' AND firmware_version = '1.0.0'"),
      "esp32it is merged");
  EXPECT_EQ(database_.value("SELECT metadata FROM firmware_releases WHERE version = '1.1.0'"), "{}");
}

TEST_F(Admin, RefusesOtherBytesUnderAVersion) {
  ASSERT_TRUE(releases_.add_release(release_of("1.0.0")));
  const auto other = releases_.add_release(release_of("1.0.0", "bb"));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, ErrorKind::conflict);
  EXPECT_EQ(database_.value("SELECT checksum_sha256 FROM firmware_releases"), "aa");
  EXPECT_EQ(events(), "firmware_uploaded");
}

TEST_F(Admin, OfTwentyUploadsAtOnceOneWins) {
  std::vector<fleet::Expected<bool>> results(20);
  std::vector<std::thread> uploads;
  for (std::size_t i = 0; i < results.size(); ++i) {
    uploads.emplace_back(
        [&, i] { results[i] = releases_.add_release(release_of("1.0.0", std::to_string(i))); });
  }
  for (auto& upload : uploads) upload.join();
  int won = 0;
  for (const auto& result : results) {
    won += result ? 1 : 0;
    EXPECT_TRUE(result || result.error().kind == ErrorKind::conflict) << result.error().message;
  }
  EXPECT_EQ(won, 1);
}

TEST_F(Admin, ListsReleasesNewestFirstAndByModel) {
  for (const auto* version : {"1.0.0", "1.2.0", "1.1.0"})
    ASSERT_TRUE(releases_.add_release(release_of(version)));
  auto other = release_of("1.0.0");
  other.model = "esp8266";
  ASSERT_TRUE(releases_.add_release(other));
  EXPECT_EQ(releases_.list_releases("", {10})->rows.size(), 4U);
  const auto listed = releases_.list_releases("esp32", {2});
  ASSERT_TRUE(listed && listed->rows.size() == 2);
  EXPECT_EQ(listed->rows.at(0).version, "1.1.0");
  EXPECT_EQ(releases_.find_releases("1.0.0", "")->size(), 2U);
  EXPECT_EQ(releases_.find_releases("1.0.0", "esp8266")->size(), 1U);
  EXPECT_TRUE(releases_.find_releases("9.9.9", "")->empty());
  database_.value("UPDATE firmware_releases SET withdrawn_at = now() WHERE device_model = 'esp32'");
  EXPECT_EQ(releases_.find_releases("1.0.0", "")->size(), 1U);
}

TEST_F(Admin, CreatesARolloutWithItsEvent) {
  const auto id = create("r");
  EXPECT_GT(id, 0);
  EXPECT_EQ(state_of(id), "running true 10");
  EXPECT_EQ(database_.value("SELECT target_filter FROM rollout_configurations"),
            R"({"exclude_device_ids": ["a"]})");
  EXPECT_EQ(events(), "firmware_uploaded,rollout_created");
  EXPECT_EQ(
      database_.value("SELECT rollout_id || firmware_version FROM ota_events WHERE rollout_id IS NOT NULL"),
      std::to_string(id) + "1.0.0");
}

TEST_F(Admin, AnInactiveNewRolloutIsPaused) {
  EXPECT_EQ(state_of(create("r", false)), "paused false 10");
}

TEST_F(Admin, RefusesARolloutWithoutReleaseOrWithATakenName) {
  const auto without = rollouts_.create_rollout(rollout_of("r"));
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().kind, ErrorKind::invalid);
  create("r");
  const auto again = rollouts_.create_rollout(rollout_of("r"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::conflict);
  EXPECT_EQ(database_.value("SELECT count(*) FROM rollout_configurations"), "1");
}

TEST_F(Admin, PatchesPercentageAndActivity) {
  const auto id = create("r");
  ASSERT_TRUE(rollouts_.patch_rollout(id, {25, std::nullopt, {}, {}, "admin"}));
  EXPECT_EQ(state_of(id), "running true 25");
  ASSERT_TRUE(rollouts_.patch_rollout(id, {std::nullopt, false, {}, {}, "admin"}));
  EXPECT_EQ(state_of(id), "paused false 25");
  ASSERT_TRUE(rollouts_.patch_rollout(id, {50, true, {}, {}, "admin"}));
  EXPECT_EQ(state_of(id), "running true 50");
  ASSERT_TRUE(rollouts_.patch_rollout(id, {50, true, {}, {}, "admin"})) << "changes nothing";
  EXPECT_EQ(events(), "firmware_uploaded,rollout_created,rollout_updated,rollout_updated,rollout_updated");
}

TEST_F(Admin, AnEndedRolloutStaysEnded) {
  const auto id = create("r");
  ASSERT_TRUE(finish(id));
  ASSERT_TRUE(finish(id));
  EXPECT_EQ(state_of(id), "finished false 10");
  EXPECT_EQ(events(), "firmware_uploaded,rollout_created,rollout_updated");
  const auto patched = rollouts_.patch_rollout(id, {50, std::nullopt, {}, {}, "admin"});
  ASSERT_FALSE(patched);
  EXPECT_EQ(patched.error().kind, ErrorKind::conflict);
  EXPECT_EQ(refused(rollouts_.patch_rollout(id + 1, {})).kind, ErrorKind::not_found);
  EXPECT_EQ(refused(finish(id + 1)).kind, ErrorKind::not_found);
}

TEST_F(Admin, TextWithNulIsRefused) {
  auto rollout = rollout_of(std::string("a\0b", 3));
  ASSERT_TRUE(releases_.add_release(release_of("1.0.0")));
  EXPECT_EQ(refused(rollouts_.create_rollout(rollout)).kind, ErrorKind::invalid);
  EXPECT_EQ(refused(reader_.list_devices(std::string("a\0b", 3), {10})).kind, ErrorKind::invalid);
}

TEST_F(Admin, ListsDevicesLastSeenFirst) {
  database_.value(
      "INSERT INTO devices (device_id, device_model, last_seen) SELECT 'd' || g, 'm' || g % 2, "
      "now() - g * interval '3 seconds' FROM generate_series(1, 100) g");
  database_.value("INSERT INTO devices (device_id, device_model, last_seen) VALUES ('never', 'm0', NULL)");
  const auto devices = reader_.list_devices("", {500});
  ASSERT_TRUE(devices) << devices.error().message;
  ASSERT_EQ(devices->rows.size(), 101U);
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(devices->rows.at(i).device_id, "d" + std::to_string(i + 1));
  EXPECT_EQ(devices->rows.back().device_id, "never");
  const auto of_model = reader_.list_devices("m0", {2});
  ASSERT_TRUE(of_model && of_model->rows.size() == 2);
  EXPECT_EQ(of_model->rows.at(1).device_id, "d4");
}

TEST_F(Admin, ListsUpdatesNewestFirstByDeviceAndVersion) {
  database_.value(
      "INSERT INTO device_update_status (device_id, firmware_version, status, progress_percent, "
      "reported_at, started_at) SELECT 'd' || g % 3, '1.' || g % 2, 'pending', NULL, "
      "now() - g * interval '2 seconds', '2026-01-31 13:00:00+01' FROM generate_series(1, 30) g");
  const auto all = reader_.list_updates("", "", {500});
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(all->rows.size(), 30U);
  for (std::size_t i = 1; i < all->rows.size(); ++i)
    EXPECT_GT(all->rows.at(i - 1).reported_at, all->rows.at(i).reported_at);
  EXPECT_EQ(all->rows.at(0).started_at, "2026-01-31T12:00:00.000000+00:00");
  EXPECT_EQ(all->rows.at(0).completed_at, "");
  EXPECT_FALSE(all->rows.at(0).progress_percent);
  EXPECT_EQ(reader_.list_updates("d1", "", {500})->rows.size(), 10U);
  EXPECT_EQ(reader_.list_updates("", "1.1", {500})->rows.size(), 15U);
  EXPECT_EQ(reader_.list_updates("d1", "1.1", {500})->rows.size(), 5U);
  EXPECT_EQ(reader_.list_updates("d1", "1.1", {2})->rows.size(), 2U);
}

TEST_F(Admin, SumsTheFleetUp) {
  create("running");
  ASSERT_TRUE(rollouts_.patch_rollout(create("paused"), {std::nullopt, false, {}, {}, "admin"}));
  database_.value(
      "INSERT INTO devices (device_id, device_model, online) VALUES ('a', 'm1', true), ('b', 'm1', false), "
      "('c', 'm2', true)");
  database_.value(
      "INSERT INTO device_update_status (device_id, firmware_version, status, reported_at) VALUES "
      "('a', '1', 'success', now()), ('b', '1', 'success', now() - interval '23 hours'), "
      "('c', '1', 'failed', now() - interval '1 hour'), ('c', '0', 'failed', now() - interval '25 hours')");
  const auto summary = reader_.summary();
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(summary->total_devices, 3);
  EXPECT_EQ(summary->devices_online, 2);
  EXPECT_EQ(summary->devices_by_model, (std::map<std::string, std::int64_t>{{"m1", 2}, {"m2", 1}}));
  EXPECT_EQ(summary->recent_updates_24h,
            (std::map<std::string, std::int64_t>{{"success", 2}, {"failed", 1}}));
  EXPECT_EQ(summary->active_rollouts, 1);
}

TEST_F(Admin, PingsWhileThePoolIsBusy) {
  const auto first = pool_.take();
  const auto second = pool_.take();
  EXPECT_TRUE(reader_.ping());
  sql::ConnectionPool none(database_.service(), 0, std::chrono::milliseconds(1));
  EXPECT_EQ(refused(sql::PgFleetReader(none).summary()).kind, ErrorKind::unavailable);
}

// The plans, not the clock: what PostgreSQL counted. Everything was seen in the same moment, the hardest
// case.
TEST_F(Admin, ListsOfManyRowsWalkAnIndex) {
  database_.value(
      "INSERT INTO devices (device_id, device_model) SELECT 'd' || g, 'm' || g % 2 "
      "FROM generate_series(1, 100000) g");
  database_.value(
      "INSERT INTO device_update_status (device_id, firmware_version, status) "
      "SELECT 'd' || g, '1.' || g % 2, 'success' FROM generate_series(1, 100000) g");
  database_.value("ANALYZE devices, device_update_status");
  {
    sql::ConnectionPool pool(database_.service(), 1);  // its figures are complete once it has gone
    sql::PgFleetReader reader(pool);
    EXPECT_EQ(reader.list_devices("", {500})->rows.size(), 500U);
    EXPECT_EQ(reader.list_devices("m1", {500})->rows.size(), 500U);
    EXPECT_EQ(reader.list_updates("", "", {500})->rows.size(), 500U);
    EXPECT_EQ(reader.list_updates("", "1.1", {500})->rows.size(), 500U);
    EXPECT_EQ(reader.list_updates("d7", "", {500})->rows.size(), 1U);
  }
  EXPECT_TRUE(test_support::eventually([this] {
    return database_.value(
               "SELECT string_agg(indexrelname, ' ' ORDER BY indexrelname) FROM pg_stat_user_indexes "
               "WHERE idx_tup_read > 0 AND relname IN ('devices', 'device_update_status') "
               "AND indexrelname NOT LIKE '%pkey'") ==
           "device_update_status_device_idx device_update_status_reported_at_idx "
           "device_update_status_version_idx "
           "devices_last_seen_idx devices_model_last_seen_idx";
  }));
  EXPECT_EQ(
      database_.value("SELECT sum(idx_tup_read) < 20 FROM pg_stat_user_indexes "
                      "WHERE relname IN ('devices', 'device_update_status') AND indexrelname LIKE '%pkey'"),
      "t")
      << "the planner looks at its ends, nobody walks it";
  EXPECT_EQ(database_.value("SELECT sum(seq_scan) FROM pg_stat_user_tables "
                            "WHERE relname IN ('devices', 'device_update_status')"),
            "0");
}

TEST_F(Admin, AManifestOfAStoredImageOnlyRises) {
  auto release = release_of("1.0.0");
  release.manifest = "signed text";
  release.sequence = 7;
  ASSERT_TRUE(releases_.add_release(release));
  EXPECT_TRUE(releases_.list_releases("", {1})->rows.at(0).verified);
  fleet::Manifest manifest;
  manifest.model = "esp32";
  manifest.version = "1.0.0";
  manifest.sha256 = "aa";
  manifest.size_bytes = 3'000'000'000;
  manifest.sequence = 7;
  EXPECT_EQ(refused(releases_.set_manifest(manifest, "newer text", "admin")).kind, ErrorKind::conflict);
  manifest.sequence = 8;
  ASSERT_TRUE(releases_.set_manifest(manifest, "newer text", "admin"));
  EXPECT_EQ(database_.value("SELECT manifest || ' ' || manifest_sequence FROM firmware_releases"),
            "newer text 8");
  manifest.sequence = 9;
  manifest.sha256 = "bb";
  EXPECT_EQ(refused(releases_.set_manifest(manifest, "x", "admin")).kind, ErrorKind::invalid);
  manifest.version = "9.9.9";
  EXPECT_EQ(refused(releases_.set_manifest(manifest, "x", "admin")).kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace ota::sql_test
