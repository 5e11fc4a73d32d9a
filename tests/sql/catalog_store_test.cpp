#include "sql/catalog_store.hpp"

#include <gtest/gtest.h>

#include "sql/update_store.hpp"
#include "tests/sql/fixture.hpp"

namespace ota::sql_test {
namespace {

class CatalogRows : public testing::Test {
 protected:
  void SetUp() override {
    database_.value(
        "INSERT INTO firmware_releases (version, device_model, min_version, file_path, file_size, "
        "checksum_sha256, release_notes, created_at) VALUES "
        "('1.0.0', 'esp32', NULL, 'a', 10, 'aa', NULL, '2026-01-31 12:00:00.123456+00'), "
        "('1.1.0', 'esp32', '1.0.0', 'b', 11, 'bb', 'faster', now())");
  }

  void insert_rollout(const std::string& name, const std::string& filter,
                      const std::string& type = "specific", const std::string& state = "running") {
    database_.value(
        "INSERT INTO rollout_configurations (name, firmware_version, device_model, target_type, "
        "target_filter, rollout_percentage, state, allow_downgrade, salt) VALUES ('" +
        name + "', '1.1.0', 'esp32', '" + type + "', " + (filter.empty() ? "NULL" : "'" + filter + "'") +
        ", 25, '" + state + "', true, 'pepper')");
  }

  fleet::Catalog load() {
    auto catalog = store_.load_catalog();
    EXPECT_TRUE(catalog) << catalog.error().message;
    return catalog.value_or(fleet::Catalog{});
  }

  fleet::Target only_target() {
    const auto catalog = load();
    const auto& candidates = catalog.candidates("esp32");
    EXPECT_EQ(candidates.size(), 1U);
    return candidates.empty() ? fleet::Target{} : candidates[0].rollout->target;
  }

  TestDatabase database_;
  sql::PgCatalogStore store_{database_.service()};
};

using Strings = std::vector<std::string>;

TEST_F(CatalogRows, TheirRevisionRisesWithEachChangeAndWritersSeeTheSame) {
  sql::PgUpdateStore writer(database_.service());
  const auto seen_by_writer = [&] {
    EXPECT_TRUE(writer.begin({check_of("a")}));
    const auto revision = writer.catalog_revision();
    writer.rollback();
    return revision;
  };
  auto last = load().revision();
  EXPECT_GT(last, 0);
  EXPECT_EQ(seen_by_writer(), last);
  for (const char* change :
       {"INSERT INTO rollout_configurations (name, firmware_version, device_model, target_type) VALUES ('r', "
        "'1.1.0', 'esp32', 'all')",
        "UPDATE rollout_configurations SET rollout_percentage = 7",
        "UPDATE firmware_releases SET withdrawn_at = now() WHERE version = '1.1.0'",
        "UPDATE service_settings SET frozen = true", "DELETE FROM rollout_configurations"}) {
    database_.value(change);
    const auto now = load().revision();
    EXPECT_GT(now, last) << change;
    EXPECT_EQ(seen_by_writer(), now) << change;
    last = now;
  }
}

TEST_F(CatalogRows, ReadsReleases) {
  const auto catalog = load();
  const auto* first = catalog.find_release("esp32", "1.0.0");
  const auto* second = catalog.find_release("esp32", "1.1.0");
  ASSERT_TRUE(first != nullptr && second != nullptr);
  EXPECT_EQ(first->size_bytes, 10);
  EXPECT_EQ(first->sha256, "aa");
  EXPECT_EQ(first->notes, "");
  EXPECT_FALSE(first->min_version);
  EXPECT_EQ(first->created_at.time_since_epoch().count(), 1769860800123456);
  EXPECT_EQ(second->min_version, "1.0.0");
  EXPECT_EQ(second->notes, "faster");
}

TEST_F(CatalogRows, LeavesWithdrawnReleasesAside) {
  database_.value("UPDATE firmware_releases SET withdrawn_at = now() WHERE version = '1.1.0'");
  insert_rollout("r", "", "all");
  const auto catalog = load();
  EXPECT_EQ(catalog.releases_of("esp32").size(), 1U);
  EXPECT_TRUE(catalog.candidates("esp32").empty());
}

TEST_F(CatalogRows, ReadsRunningAndPausedRolloutsNewestFirst) {
  insert_rollout("first", "", "all");
  insert_rollout("second", "", "canary", "paused");
  insert_rollout("third", "", "all", "finished");
  const auto catalog = load();
  const auto& candidates = catalog.candidates("esp32");
  ASSERT_EQ(candidates.size(), 2U);
  EXPECT_EQ(candidates[0].rollout->name, "second");
  EXPECT_EQ(candidates[0].rollout->state, fleet::RolloutState::paused);
  EXPECT_EQ(candidates[1].rollout->target.percentage, 25);
  EXPECT_EQ(candidates[1].rollout->target.salt, "pepper");
  EXPECT_TRUE(candidates[1].rollout->allow_downgrade);
}

TEST_F(CatalogRows, ReadsEveryKindOfFilter) {
  insert_rollout("r",
                 R"({"device_ids": ["a", 7, "b"], "mac_addresses": ["aabb.ccdd.ee01", "aa-bb-cc-dd-ee-02"],
                          "group": "beta", "groups": ["x", "y"], "exclude_device_ids": ["c"],
                          "metadata": {"reported": {"rev": 2}}})");
  const auto target = only_target();
  EXPECT_EQ(target.type, fleet::TargetType::specific);
  EXPECT_EQ(target.device_ids, (Strings{"a", "b"}));
  ASSERT_EQ(target.mac_addresses.size(), 2U);
  EXPECT_EQ(target.mac_addresses[1], "AA:BB:CC:DD:EE:02");
  EXPECT_EQ(target.groups, (Strings{"x", "y", "beta"}));
  EXPECT_EQ(target.exclude_device_ids, Strings{"c"});
  ASSERT_TRUE(target.metadata);
  EXPECT_NE(target.metadata->find("reported"), nullptr);
}

TEST_F(CatalogRows, AFilterThatIsNoObjectFiltersNothingIn) {
  insert_rollout("r", "[1, 2, 3]");
  const auto target = only_target();
  EXPECT_TRUE(target.device_ids.empty());
  EXPECT_FALSE(target.metadata);
}

TEST_F(CatalogRows, TakesAFilterOfThousandsOfDevices) {
  database_.value(
      "INSERT INTO rollout_configurations (name, firmware_version, device_model, target_type, "
      "target_filter) SELECT 'big', '1.1.0', 'esp32', 'specific', jsonb_build_object('device_ids', "
      "jsonb_agg('device-' || g)) FROM generate_series(1, 20000) g");
  EXPECT_EQ(only_target().device_ids.size(), 20000U);
}

}  // namespace
}  // namespace ota::sql_test
