#include "sql/device_store.hpp"

#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "fleet/strict_json.hpp"
#include "tests/sql/fixture.hpp"
#include "tests/support/refused.hpp"

namespace ota::sql_test {
namespace {

using fleet::ErrorKind;
using test_support::refused;

class Devices : public testing::Test {
 protected:
  Devices() {
    database_.value(
        "INSERT INTO devices (device_id, device_model, current_firmware_version, mac_address, metadata) "
        "VALUES "
        "('a', 'esp32', '1.0.0', 'AA:BB:CC:DD:EE:01', '{\"reported\": {\"room\": 1}, \"site\": \"x\"}'), "
        "('B', 'esp32', '1.1.0', NULL, NULL), ('c', 'other', NULL, NULL, '{\"groups\": [\"beta\"]}')");
  }
  std::string metadata(const std::string& id) {
    return database_.value("SELECT metadata::text FROM devices WHERE device_id = '" + id + "'");
  }

  TestDatabase database_;
  sql::ConnectionPool pool_{database_.service(), 2};
  sql::PgDeviceStore devices_{pool_};
};

TEST_F(Devices, AreFoundWithTheirAttempts) {
  database_.value(
      "INSERT INTO device_update_status (device_id, firmware_version, status, attempt_id, failure_kind) "
      "VALUES ('a', '1.1.0', 'failed', 7, 'timed_out')");
  const auto found = devices_.find_device("a");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->device.version, "1.0.0");
  ASSERT_EQ(found->attempts.size(), 1U);
  EXPECT_EQ(found->attempts[0].attempt_id, 7);
  EXPECT_EQ(found->attempts[0].failure, "timed_out");
  EXPECT_EQ(refused(devices_.find_device("nobody")).kind, ErrorKind::not_found);
}

TEST_F(Devices, SayWhenTheyWereSeenAndWhetherTheyAreThere) {
  for (const char* online : {"true", "false"}) {
    database_.value(std::string("UPDATE devices SET last_seen = '2026-02-03T04:05:06Z', created_at = "
                                "'2025-01-02T03:04:05Z', online = ") +
                    online + " WHERE device_id = 'a'");
    const auto found = devices_.find_device("a");
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->online, std::string(online) == "true");
    EXPECT_EQ(found->last_seen, "2026-02-03T04:05:06.000000+00:00");
    EXPECT_EQ(found->created_at, "2025-01-02T03:04:05.000000+00:00");
  }
}

TEST_F(Devices, APatchMergesMetadataAndKeepsWhatTheDeviceReports) {
  fleet::DevicePatch patch;
  patch.groups = std::vector<std::string>{"beta"};
  patch.metadata = fleet::parse_json(R"({"site":null,"floor":2})").value();
  patch.pinned_version = "1.0.0";
  patch.hold = true;
  patch.by = "ann";
  ASSERT_TRUE(devices_.patch_device("a", patch));
  EXPECT_EQ(metadata("a"), R"({"floor": 2, "groups": ["beta"], "reported": {"room": 1}})");
  const auto found = devices_.find_device("a");
  EXPECT_EQ(found->device.pinned_version, "1.0.0");
  EXPECT_TRUE(found->device.hold);
  EXPECT_EQ(found->device.mac, "AA:BB:CC:DD:EE:01");
  EXPECT_EQ(database_.value("SELECT event_type || ' ' || device_id || ' ' || created_by FROM ota_events"),
            "device_updated a ann");
  patch = {};
  patch.pinned_version = "";
  ASSERT_TRUE(devices_.patch_device("a", patch));
  EXPECT_EQ(devices_.find_device("a")->device.pinned_version, "");
  EXPECT_TRUE(devices_.find_device("a")->device.hold);
}

TEST_F(Devices, APatchMayNotSpeakForTheDeviceNorTakeAnothersMac) {
  fleet::DevicePatch patch;
  patch.metadata = fleet::parse_json(R"({"reported":{}})").value();
  EXPECT_EQ(refused(devices_.patch_device("a", patch)).kind, ErrorKind::invalid);
  patch = {};
  patch.mac = "AA:BB:CC:DD:EE:01";
  EXPECT_EQ(refused(devices_.patch_device("B", patch)).kind, ErrorKind::conflict);
  EXPECT_TRUE(devices_.patch_device("a", patch));
  EXPECT_EQ(refused(devices_.patch_device("nobody", patch)).kind, ErrorKind::not_found);
}

TEST_F(Devices, APatchLeavesWhatItDoesNotNameToTheLastDigit) {
  database_.value(R"(UPDATE devices SET metadata = '{"serial": 123456789012345678901234567890, "x": 1.10}')");
  fleet::DevicePatch patch;
  patch.groups = std::vector<std::string>{"beta"};
  ASSERT_TRUE(devices_.patch_device("a", patch));
  EXPECT_EQ(metadata("a"), R"({"x": 1.10, "groups": ["beta"], "serial": 123456789012345678901234567890})");
  ASSERT_TRUE(devices_.change_group({"beta", {"B"}, {"a"}, "ann"}));
  EXPECT_EQ(metadata("a"), R"({"x": 1.10, "groups": [], "serial": 123456789012345678901234567890})");
  EXPECT_EQ(metadata("B"), R"({"x": 1.10, "groups": ["beta"], "serial": 123456789012345678901234567890})");
}

TEST_F(Devices, WhatEarlierServicesLeftInMetadataDoesNotStandInTheWay) {
  for (const auto* left : {"NULL", "'null'", "'[1]'", "'\"text\"'"}) {
    database_.value(std::string("UPDATE devices SET metadata = ") + left);
    fleet::DevicePatch patch;
    patch.hold = true;
    ASSERT_TRUE(devices_.patch_device("a", patch)) << left;
    EXPECT_EQ(database_.value(std::string("SELECT metadata IS NOT DISTINCT FROM ") + left +
                              "::jsonb FROM devices WHERE device_id = 'a'"),
              "t");
    ASSERT_TRUE(devices_.change_group({"beta", {"B"}, {}, "ann"})) << left;
    EXPECT_EQ(metadata("B"), R"({"groups": ["beta"]})") << left;
    patch.groups = std::vector<std::string>{};
    ASSERT_TRUE(devices_.patch_device("a", patch)) << left;
    EXPECT_EQ(metadata("a"), R"({"groups": []})") << left;
  }
}

TEST_F(Devices, TwoThatClaimOneMacAtOnceGetItOnce) {
  fleet::DevicePatch patch;
  patch.mac = "AA:BB:CC:DD:EE:09";
  std::array<fleet::Expected<void>, 2> done;
  std::thread other([&] { done[0] = devices_.patch_device("B", patch); });
  done[1] = devices_.patch_device("c", patch);
  other.join();
  EXPECT_NE(done[0].has_value(), done[1].has_value());
  EXPECT_EQ(refused(done[0] ? done[1] : done[0]).kind, ErrorKind::conflict);
}

TEST_F(Devices, ARefusedPatchChangesNothing) {
  fleet::DevicePatch patch;
  patch.hold = true;
  patch.metadata = fleet::parse_json(R"({"floor":2,"groups":["beta"]})").value();
  const auto refused = devices_.patch_device("a", patch);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::invalid);
  EXPECT_NE(refused.error().message.find("metadata.groups"), std::string::npos) << refused.error().message;
  EXPECT_FALSE(devices_.find_device("a")->device.hold);
  EXPECT_EQ(database_.value("SELECT count(*) FROM ota_events"), "0");
}

TEST_F(Devices, GroupsChangeForManyAtOnce) {
  const auto done = devices_.change_group({"beta", {"a", "B", "nobody"}, {"c"}, "ann"});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->changed, (std::vector<std::string>{"B", "a", "c"}));
  EXPECT_EQ(done->unknown, std::vector<std::string>{"nobody"});
  EXPECT_EQ(devices_.find_device("B")->device.groups(), std::vector<std::string>{"beta"});
  EXPECT_TRUE(devices_.find_device("c")->device.groups().empty());
  EXPECT_TRUE(devices_.change_group({"beta", {"a"}, {}, "ann"})->changed.empty());
  EXPECT_EQ(database_.value("SELECT count(*) FROM ota_events WHERE event_type = 'group_updated'"), "1");
}

TEST_F(Devices, ADeletedOneLeavesItsHistory) {
  database_.value(
      "INSERT INTO offers (device_id, attempt_id, rollout_id, release_id, version) VALUES ('a', 1, 1, 1, "
      "'1')");
  database_.value(
      "INSERT INTO device_update_status (device_id, firmware_version, status) VALUES ('a', '1', 'success')");
  ASSERT_TRUE(devices_.delete_device("a", "ann"));
  EXPECT_EQ(database_.value("SELECT count(*) FROM offers"), "0");
  EXPECT_EQ(database_.value("SELECT count(*) FROM device_update_status"), "1");
  EXPECT_EQ(refused(devices_.delete_device("a", "ann")).kind, ErrorKind::not_found);
}

TEST_F(Devices, ComeInPagesByTheBytesOfTheirIds) {
  EXPECT_EQ(devices_.page_of_devices("esp32", "", 1)->at(0).id, "B");
  EXPECT_EQ(devices_.page_of_devices("esp32", "B", 10)->at(0).id, "a");
  EXPECT_TRUE(devices_.page_of_devices("esp32", "a", 10)->empty());
  EXPECT_EQ(devices_.running_versions("esp32").value(),
            (std::map<std::string, std::int64_t>{{"1.0.0", 1}, {"1.1.0", 1}}));
}

}  // namespace
}  // namespace ota::sql_test
