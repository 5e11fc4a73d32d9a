#include <gtest/gtest.h>

#include "sql/admin_store.hpp"
#include "sql/catalog_store.hpp"
#include "sql/device_store.hpp"
#include "sql/migrate.hpp"
#include "sql/monitor_store.hpp"
#include "sql/update_store.hpp"
#include "tests/sql/fixture.hpp"

namespace ota::sql_test {
namespace {

// The tables of contract section 3 as people may have made them: other constraint names, limited lengths,
// required columns, no defaults, and rows that today's rules would refuse.
constexpr auto kEarlierTables = R"sql(
  CREATE TABLE firmware_releases (
    id bigserial PRIMARY KEY, version varchar(50) NOT NULL, device_model varchar(50) NOT NULL, min_version text,
    file_path text NOT NULL, file_size bigint NOT NULL, checksum_sha256 varchar(64) NOT NULL, changelog text,
    release_notes text, is_signed bool DEFAULT false, created_at timestamptz DEFAULT now(), created_by text,
    metadata jsonb, CONSTRAINT one_per_model UNIQUE (device_model, version));
  CREATE TABLE devices (
    id bigserial PRIMARY KEY, device_id varchar(32) NOT NULL, mac_address text, device_model text NOT NULL,
    current_firmware_version text NOT NULL, last_seen timestamptz, created_at timestamptz NOT NULL, metadata jsonb,
    CONSTRAINT the_device UNIQUE (device_id), CONSTRAINT the_mac UNIQUE (mac_address));
  CREATE TABLE device_update_status (
    id bigserial PRIMARY KEY, device_id text NOT NULL, firmware_version text NOT NULL, status text NOT NULL
      CONSTRAINT known_status CHECK (status IN ('pending', 'downloading', 'downloaded', 'installing', 'success',
                                                'failed', 'rolled_back')),
    error_message text, progress_percent int, started_at timestamptz, completed_at timestamptz,
    reported_at timestamptz, metadata jsonb);
  CREATE TABLE rollout_configurations (
    id bigserial PRIMARY KEY, name text NOT NULL, firmware_version text NOT NULL, device_model text NOT NULL,
    target_type text NOT NULL, target_filter jsonb, rollout_percentage int, is_active bool, created_at timestamptz,
    updated_at timestamptz, created_by text, metadata jsonb, UNIQUE (name));
  CREATE TABLE ota_events (
    id bigserial PRIMARY KEY, event_type text NOT NULL
      CONSTRAINT only_these CHECK (event_type IN ('firmware_uploaded', 'rollout_created', 'rollout_updated',
        'update_started', 'update_completed', 'update_failed', 'rollback_initiated')),
    device_id text, firmware_version text, rollout_id bigint, event_data jsonb, created_at timestamptz,
    created_by text);

  INSERT INTO firmware_releases (version, device_model, file_path, file_size, checksum_sha256)
    VALUES ('1.0.0', 'esp32', 'esp32_1.0.0.bin', 10, 'AA'), ('1.1.0', 'esp32', 'esp32_1.1.0.bin', 11, 'bb'),
           ('not a version', 'esp32', 'x.bin', 1, 'cc');
  INSERT INTO devices (device_id, mac_address, device_model, current_firmware_version, created_at, metadata)
    VALUES ('esp32_001', 'AA:BB:CC:DD:EE:01', 'esp32', '1.0.0', '2024-05-06 07:08:09.25+02', '{"groups": ["beta"]}'),
           ('bad id/with spaces', NULL, 'esp32', '1.0.0', now(), NULL),
           ('odd', NULL, 'esp32', '1.0.0', now(), '[1, 2]');
  INSERT INTO device_update_status (device_id, firmware_version, status, progress_percent, started_at, reported_at)
    VALUES ('esp32_001', '1.0.0', 'downloading', 10, now() - interval '3 days', now() - interval '3 days'),
           ('esp32_001', '1.0.0', 'success', 100, now() - interval '3 days', now() - interval '2 days'),
           ('esp32_001', '1.1.0', 'pending', NULL, now() - interval '2 hours', now() - interval '2 hours'),
           ('esp32_001', '1.1.0', 'downloading', 40, now() - interval '1 hour', now() - interval '1 hour');
  INSERT INTO rollout_configurations (name, firmware_version, device_model, target_type, rollout_percentage, is_active)
    VALUES ('old', '1.0.0', 'esp32', 'all', 100, false), ('forgotten', '1.0.0', 'esp32', 'all', 100, NULL),
           ('now', '1.1.0', 'esp32', 'canary', NULL, true);
  INSERT INTO ota_events (event_type) VALUES ('firmware_uploaded'), ('rollout_created');
)sql";

class Adoption : public testing::Test {
 protected:
  void SetUp() override {
    database_.value(kEarlierTables);
    const auto applied = sql::migrate(database_.owner());
    ASSERT_TRUE(applied) << applied.error().message;
    database_.run_file("sql/roles.sql", "runtime_role=" + stack().env("PG_SERVICE_USER"));
  }

  TestDatabase database_{TestDatabase::Content::empty};
};

TEST_F(Adoption, KeepsEveryRow) {
  EXPECT_EQ(database_.value(
                "SELECT string_agg(n::text, ',') FROM (SELECT count(*) n FROM firmware_releases UNION ALL "
                "SELECT count(*) FROM devices UNION ALL SELECT count(*) FROM device_update_status "
                "UNION ALL SELECT count(*) FROM rollout_configurations "
                "UNION ALL SELECT count(*) FROM ota_events) t"),
            "3,3,4,3,2");
}

TEST_F(Adoption, EndsInactiveRolloutsAndKeepsActiveOnes) {
  EXPECT_EQ(
      database_.value("SELECT string_agg(name || '=' || state, ',' ORDER BY id) FROM rollout_configurations"),
      "old=finished,forgotten=finished,now=running");
}

TEST_F(Adoption, ListsRowsOurGrammarWouldRefuse) {
  sql::ConnectionPool pool(database_.service(), 1);
  const auto devices = sql::PgFleetReader(pool).list_devices("", {50});
  ASSERT_TRUE(devices) << devices.error().message;
  ASSERT_EQ(devices->rows.size(), 3U);
  EXPECT_EQ(devices->rows.at(0).last_seen, "");
  EXPECT_EQ(devices->rows.back().created_at, "2024-05-06T05:08:09.250000+00:00");
  const auto releases = sql::PgReleaseStore(pool).list_releases("", {50});
  ASSERT_TRUE(releases) << releases.error().message;
  EXPECT_EQ(releases->rows.size(), 3U);
}

TEST_F(Adoption, LeavesThemOutOfTheCatalog) {
  const auto catalog = sql::PgCatalogStore(database_.service()).load_catalog();
  ASSERT_TRUE(catalog) << catalog.error().message;
  EXPECT_EQ(catalog->releases_of("esp32").size(), 2U);
  ASSERT_EQ(catalog->candidates("esp32").size(), 1U);
  EXPECT_EQ(catalog->candidates("esp32")[0].rollout->name, "now");
}

// The earlier service stored what devices and people wrote.
TEST_F(Adoption, KnowsAMacInAnySpelling) {
  for (const std::string mac : {"aa:bb:cc:dd:ee:01", "AA-BB-CC-DD-EE-01", "aabbccddee01"}) {
    database_.value("UPDATE devices SET mac_address = '" + mac + "' WHERE device_id = 'esp32_001'");
    sql::PgUpdateStore store(database_.service());
    auto thief = check_of("thief");
    thief.mac = "AA:BB:CC:DD:EE:01";
    const auto heard = store.begin({report_of("esp32_001"), thief});
    ASSERT_TRUE(heard) << heard.error().message;
    EXPECT_EQ(heard->at(0).mac, "AA:BB:CC:DD:EE:01") << "as target filters have it, " << mac;
    EXPECT_EQ(heard->at(1).mac, "") << "the first keeps it, " << mac;
    ASSERT_TRUE(store.commit({}));
    EXPECT_EQ(database_.value("SELECT mac_address FROM devices WHERE device_id = 'esp32_001'"), mac);
    sql::ConnectionPool pool(database_.service(), 1);
    fleet::DevicePatch patch;
    patch.mac = "AA:BB:CC:DD:EE:01";
    const auto patched = sql::PgDeviceStore(pool).patch_device("thief", patch);
    ASSERT_FALSE(patched) << mac;
    EXPECT_EQ(patched.error().kind, fleet::ErrorKind::conflict);
  }
}

// Of one device at one version, a row per report of many years.
TEST_F(Adoption, ALongHistoryTakesNoLongTransaction) {
  database_.value(
      "INSERT INTO device_update_status (device_id, firmware_version, status, reported_at) "
      "SELECT 'esp32_001', '1.0.0', 'downloading', now() FROM generate_series(1, 30000)");
  auto options = database_.service();
  options.statement_timeout_ms = 3000;
  sql::PgUpdateStore store(options);
  ASSERT_TRUE(store.begin({report_of("esp32_001")}));
  const auto open = store.find_attempt_at("esp32_001", "1.0.0", 0);
  ASSERT_TRUE(open) << open.error().message;
  ASSERT_TRUE(*open);
  EXPECT_EQ((*open)->status, fleet::Status::downloading) << "the newest row's";
}

TEST_F(Adoption, TakesHashesOfEitherCase) {
  sql::ConnectionPool pool(database_.service(), 1);
  sql::PgReleaseStore releases(pool);
  EXPECT_EQ(releases.find_releases("1.0.0", "esp32")->at(0).sha256, "aa");
  fleet::NewRelease again;
  again.version = "1.0.0";
  again.model = "esp32";
  again.file_path = "other";
  again.sha256 = "aa";
  const auto added = releases.add_release(again);
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_FALSE(*added);
  const auto catalog = sql::PgCatalogStore(database_.service()).load_catalog();
  ASSERT_TRUE(catalog) << catalog.error().message;
  EXPECT_EQ(catalog->find_release("esp32", "1.0.0")->sha256, "aa");
  EXPECT_EQ(database_.value("SELECT checksum_sha256 FROM firmware_releases WHERE id = 1"), "AA");
}

TEST_F(Adoption, ATimeThatNeverComesHindersNothing) {
  database_.value(
      "UPDATE device_update_status SET started_at = 'infinity', reported_at = '-infinity' WHERE id = 4");
  database_.value("UPDATE firmware_releases SET created_at = 'infinity' WHERE id = 2");
  sql::PgUpdateStore store(database_.service());
  ASSERT_TRUE(store.begin({report_of("esp32_001")}));
  const auto open = store.find_attempt_at("esp32_001", "1.1.0", 0);
  ASSERT_TRUE(open) << open.error().message;
  EXPECT_TRUE(*open);
  EXPECT_TRUE(sql::PgCatalogStore(database_.service()).load_catalog());
}

TEST_F(Adoption, TheLeadersFiguresAreNoChangeOfARollout) {
  database_.value("UPDATE rollout_configurations SET updated_at = '2024-01-01'");
  database_.value_as_service("UPDATE rollout_configurations SET stage_devices = 7 WHERE name = 'now'");
  EXPECT_EQ(
      database_.value("SELECT updated_at = '2024-01-01' FROM rollout_configurations WHERE name = 'now'"),
      "t");
  database_.value_as_service("UPDATE rollout_configurations SET rollout_percentage = 7 WHERE name = 'now'");
  EXPECT_EQ(
      database_.value("SELECT updated_at = '2024-01-01' FROM rollout_configurations WHERE name = 'now'"),
      "f");
}

TEST_F(Adoption, LiftsTheCheckOnEventTypes) {
  EXPECT_NO_THROW(database_.value_as_service("INSERT INTO ota_events (event_type) VALUES ('device_reset')"));
}

TEST_F(Adoption, CountsOldEventsAsPublished) {
  sql::PgMonitorStore store(database_.service());
  const auto none = store.next_events(10);
  ASSERT_TRUE(none) << none.error().message;
  EXPECT_TRUE(none->empty());
  database_.value_as_service("INSERT INTO ota_events (event_type) VALUES ('device_reset')");
  const auto one = store.next_events(10);
  ASSERT_TRUE(one) << one.error().message;
  ASSERT_EQ(one->size(), 1U);
  EXPECT_EQ(one->at(0).type, "device_reset");
}

TEST_F(Adoption, RegistersDevicesWithLongIdsAndUnknownVersions) {
  sql::PgUpdateStore store(database_.service());
  const std::string long_id(64, 'x');
  const auto devices = store.begin({report_of(long_id)});
  ASSERT_TRUE(devices) << devices.error().message;
  EXPECT_EQ(devices->at(0).model, "unknown");
  EXPECT_EQ(devices->at(0).version, "");
  const auto committed = store.commit({});
  EXPECT_TRUE(committed) << committed.error().message;
}

TEST_F(Adoption, TakesTheNewestRowOfAVersionAsItsAttemptAndGivesItAnId) {
  sql::PgUpdateStore store(database_.service());
  ASSERT_TRUE(store.begin({report_of("esp32_001")}));
  const auto open = store.find_attempt_at("esp32_001", "1.1.0", 0);
  ASSERT_TRUE(open) << open.error().message;
  ASSERT_TRUE(*open);
  EXPECT_EQ((*open)->status, fleet::Status::downloading);
  EXPECT_EQ((*open)->progress_percent, 40);
  EXPECT_GT((*open)->id, 0);
  const auto done = store.find_attempt_at("esp32_001", "1.0.0", 0);
  ASSERT_TRUE(done && *done);
  EXPECT_EQ((*done)->status, fleet::Status::success);

  auto finished = **open;
  finished.status = fleet::Status::success;
  finished.progress_percent = 100;
  finished.changed_at = now();
  fleet::BatchChanges changes;
  changes.attempts.push_back({"esp32_001", finished, now()});
  const auto committed = store.commit(changes);
  ASSERT_TRUE(committed) << committed.error().message;
  EXPECT_EQ(database_.value("SELECT count(*) FROM device_update_status"), "4");
  EXPECT_EQ(database_.value("SELECT status || ' ' || (completed_at - started_at > interval '50 minutes') "
                            "FROM device_update_status WHERE id = 4"),
            "success true");
}

TEST_F(Adoption, KeepsMetadataThatIsNoObject) {
  sql::PgUpdateStore store(database_.service());
  auto contact = check_of("odd");
  contact.reported_json = R"({"rssi": -60})";
  const auto devices = store.begin({contact});
  ASSERT_TRUE(devices) << devices.error().message;
  ASSERT_TRUE(store.commit({}));
  EXPECT_EQ(database_.value("SELECT metadata FROM devices WHERE device_id = 'odd'"), "[1, 2]");
}

TEST_F(Adoption, StillTakesTheEarlierServicesStatements) {
  EXPECT_NO_THROW(database_.value(
      "INSERT INTO devices (device_id, device_model, current_firmware_version, last_seen, created_at) "
      "VALUES ('esp32_009', 'esp32', '1.0.0', now(), now()) "
      "ON CONFLICT (device_id) DO UPDATE SET last_seen = now()"));
  EXPECT_NO_THROW(database_.value(
      "INSERT INTO rollout_configurations (name, firmware_version, device_model, target_type, is_active) "
      "VALUES ('by hand', '1.1.0', 'esp32', 'all', false)"));
  EXPECT_EQ(database_.value("SELECT state FROM rollout_configurations WHERE name = 'by hand'"), "paused");
}

}  // namespace
}  // namespace ota::sql_test
