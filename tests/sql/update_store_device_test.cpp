#include <gtest/gtest.h>

#include "sql/update_store.hpp"
#include "tests/sql/fixture.hpp"

namespace ota::sql_test {
namespace {

using fleet::Contact;
using fleet::Device;

/// Registering and loading devices: begin() and what it answers.
class Registration : public testing::Test {
 protected:
  Device register_one(const Contact& contact) {
    auto devices = store_.begin({contact});
    EXPECT_TRUE(devices) << devices.error().message;
    const auto committed = store_.commit({});
    EXPECT_TRUE(committed) << committed.error().message;
    return devices ? devices->at(0) : Device{};
  }

  std::string column(const std::string& name, const std::string& device_id = "a") {
    return database_.value("SELECT " + name + " FROM devices WHERE device_id = '" + device_id + "'");
  }

  TestDatabase database_;
  sql::PgUpdateStore store_{database_.service()};
};

TEST_F(Registration, MakesAnUnknownDevice) {
  auto check = check_of("a");
  check.mac = "AA:BB:CC:DD:EE:01";
  const auto device = register_one(check);
  EXPECT_EQ(device.id, "a");
  EXPECT_EQ(device.model, "esp32");
  EXPECT_EQ(device.version, "1.0.0");
  EXPECT_EQ(device.mac, "AA:BB:CC:DD:EE:01");
  EXPECT_TRUE(device.on_mqtt);
  EXPECT_FALSE(device.offer);
  EXPECT_FALSE(device.attempt);
  EXPECT_EQ(column("last_seen = created_at AND online"), "t");
}

TEST_F(Registration, UpdatesModelVersionAndLastSeen) {
  register_one(check_of("a"));
  auto later = check_of("a", "1.1.0");
  later.model = "esp32c3";
  later.seen_at += std::chrono::hours(1);
  const auto device = register_one(later);
  EXPECT_EQ(device.model, "esp32c3");
  EXPECT_EQ(device.version, "1.1.0");
  EXPECT_EQ(column("last_seen - created_at > interval '59 minutes'"), "t");
}

TEST_F(Registration, AReportNeverOverwritesWhatACheckSaid) {
  register_one(check_of("a"));
  const auto device = register_one(report_of("a"));
  EXPECT_EQ(device.model, "esp32");
  EXPECT_EQ(device.version, "1.0.0");
  EXPECT_TRUE(device.on_mqtt);
  EXPECT_EQ(column("online"), "t");
}

TEST_F(Registration, AReportAloneRecordsADeviceOfUnknownModel) {
  const auto device = register_one(report_of("a"));
  EXPECT_EQ(device.model, "unknown");
  EXPECT_EQ(device.version, "");
  EXPECT_FALSE(device.on_mqtt);
  EXPECT_EQ(column("online"), "f");
}

TEST_F(Registration, APresenceUpdatesAKnownDeviceAndNeverMakesOne) {
  register_one(check_of("a"));
  const auto devices = store_.begin({presence_of("a", false), presence_of("nobody", false)});
  ASSERT_TRUE(devices) << devices.error().message;
  EXPECT_EQ(devices->at(0).id, "a");
  EXPECT_EQ(devices->at(0).model, "") << "a presence decides nothing, so its device is not loaded";
  EXPECT_EQ(devices->at(1).id, "nobody");
  EXPECT_EQ(devices->at(1).model, "");
  ASSERT_TRUE(store_.commit({}));
  EXPECT_EQ(column("online"), "f");
  EXPECT_EQ(database_.value("SELECT count(*) FROM devices"), "1");
}

TEST_F(Registration, NotesWhenADeviceWentOfflineNotWhenItWasSaidAgain) {
  register_one(check_of("a"));
  ASSERT_TRUE(store_.begin({presence_of("a", false)}));
  ASSERT_TRUE(store_.commit({}));
  const auto since = column("online_changed_at");
  ASSERT_TRUE(store_.begin({presence_of("a", false)}));
  ASSERT_TRUE(store_.commit({}));
  EXPECT_EQ(column("online_changed_at"), since);
}

TEST_F(Registration, AnswersInTheOrderOfTheContacts) {
  std::vector<Contact> contacts = {presence_of("A", true), check_of("B"), presence_of("C", true),
                                   check_of("a"), report_of("b")};
  const auto devices = store_.begin(contacts);
  ASSERT_TRUE(devices) << devices.error().message;
  ASSERT_EQ(devices->size(), contacts.size());
  for (std::size_t i = 0; i < contacts.size(); ++i) EXPECT_EQ(devices->at(i).id, contacts[i].device_id);
  EXPECT_EQ(devices->at(1).model, "esp32");
  EXPECT_EQ(devices->at(2).model, "");
  EXPECT_EQ(devices->at(4).model, "unknown");
}

TEST_F(Registration, TheFirstDeviceKeepsAMac) {
  auto first = check_of("a");
  first.mac = "AA:BB:CC:DD:EE:01";
  register_one(first);
  auto second = check_of("b");
  second.mac = first.mac;
  EXPECT_EQ(register_one(second).mac, "");
  EXPECT_EQ(register_one(first).mac, first.mac);
}

TEST_F(Registration, OneBatchGivesAMacToOneDevice) {
  auto first = check_of("a");
  first.mac = "AA:BB:CC:DD:EE:01";
  auto second = check_of("b");
  second.mac = first.mac;
  const auto devices = store_.begin({first, second});
  ASSERT_TRUE(devices) << devices.error().message;
  EXPECT_EQ(devices->at(0).mac, first.mac);
  EXPECT_EQ(devices->at(1).mac, "");
  EXPECT_TRUE(store_.commit({}));
}

TEST_F(Registration, WhatADeviceSaysOfItselfStaysUnderReported) {
  database_.value(
      "INSERT INTO devices (device_id, device_model, metadata) VALUES "
      "('a', 'esp32', '{\"groups\": [\"beta\"], \"reported\": {\"old\": 1}}')");
  auto check = check_of("a");
  check.reported_json = R"({"groups": ["admins"], "rssi": -61, "text": "a \"quoted\" \\ one"})";
  const auto device = register_one(check);
  EXPECT_EQ(device.groups(), std::vector<std::string>{"beta"});
  const auto* reported = device.metadata.find("reported");
  ASSERT_NE(reported, nullptr);
  EXPECT_EQ(reported->find("old"), nullptr);
  ASSERT_NE(reported->find("text"), nullptr);
  EXPECT_EQ(std::get<std::string>(reported->find("text")->value), R"(a "quoted" \ one)");
  EXPECT_EQ(std::get<std::int64_t>(reported->find("rssi")->value), -61);
}

TEST_F(Registration, HostileTextIsStoredAsTextOrRefused) {
  auto check = check_of("a'); DROP TABLE devices; --");
  check.version = "{\"\\',NULL}$$";
  EXPECT_EQ(register_one(check).version, check.version);
  EXPECT_EQ(database_.value("SELECT count(*) FROM devices"), "1");

  check.version = std::string("nul\0byte", 8);
  const auto nul = store_.begin({check});
  ASSERT_FALSE(nul);
  EXPECT_EQ(nul.error().kind, fleet::ErrorKind::invalid);

  check.version = "\xff\xfe";
  const auto not_utf8 = store_.begin({check});
  ASSERT_FALSE(not_utf8);
  EXPECT_EQ(not_utf8.error().kind, fleet::ErrorKind::invalid) << not_utf8.error().message;

  check.version.reset();
  check.reported_json = "{not json";
  const auto not_json = store_.begin({check});
  ASSERT_FALSE(not_json);
  EXPECT_EQ(not_json.error().kind, fleet::ErrorKind::invalid) << not_json.error().message;
}

TEST_F(Registration, ARefusedBatchLeavesNothingAndTheNextWorks) {
  auto bad = check_of("b");
  bad.reported_json = "{";
  ASSERT_FALSE(store_.begin({check_of("a"), bad}));
  EXPECT_EQ(database_.value("SELECT count(*) FROM devices"), "0");
  register_one(check_of("a"));
  EXPECT_EQ(database_.value("SELECT count(*) FROM devices"), "1");
}

TEST_F(Registration, RollbackUndoes) {
  ASSERT_TRUE(store_.begin({check_of("a")}));
  store_.rollback();
  EXPECT_EQ(database_.value("SELECT count(*) FROM devices"), "0");
  const auto committed = store_.commit({});
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().kind, fleet::ErrorKind::internal);
}

TEST_F(Registration, AnEmptyBatchIsFine) {
  const auto devices = store_.begin({});
  ASSERT_TRUE(devices) << devices.error().message;
  EXPECT_TRUE(devices->empty());
  EXPECT_TRUE(store_.commit({}));
}

TEST_F(Registration, ACheckIsAHeapOnlyUpdate) {
  const auto indexes = database_.value(
      "SELECT count(*) FROM pg_index i WHERE i.indrelid = 'devices'::regclass AND EXISTS ("
      "SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) "
      "AND a.attname IN ('last_seen', 'online', 'online_changed_at', 'boot_id', 'metadata'))");
  EXPECT_EQ(indexes, "0") << "an index on a column that changes with every check";
}

}  // namespace
}  // namespace ota::sql_test
