#include <gtest/gtest.h>

#include "sql/monitor_store.hpp"
#include "tests/sql/fixture.hpp"

namespace ota::sql_test {
namespace {

constexpr auto kInsertRollout =
    "INSERT INTO rollout_configurations (name, firmware_version, device_model, target_type) "
    "VALUES ('r', '1.1.0', 'esp32', 'all')";

class Triggers : public testing::Test {
 protected:
  std::string requested(const std::string& model = "esp32") {
    return database_.value("SELECT requested FROM push_requests WHERE model = '" + model + "'");
  }
  std::string state() {
    return database_.value("SELECT state || ' ' || is_active FROM rollout_configurations");
  }

  TestDatabase database_;
};

TEST_F(Triggers, EveryMeaningfulChangeAsksForAPush) {
  database_.value(kInsertRollout);
  EXPECT_EQ(requested(), "1");
  database_.value("UPDATE rollout_configurations SET rollout_percentage = 50");
  EXPECT_EQ(requested(), "2");
  database_.value("UPDATE rollout_configurations SET rollout_percentage = 50");
  EXPECT_EQ(requested(), "2") << "nothing changed";
  database_.value(
      "INSERT INTO firmware_releases (version, device_model, file_path, file_size, checksum_sha256) "
      "VALUES ('1.1.0', 'esp32', 'x', 1, 'y')");
  EXPECT_EQ(requested(), "3");
  database_.value("UPDATE firmware_releases SET withdrawn_at = now()");
  EXPECT_EQ(requested(), "4");
  database_.value("DELETE FROM firmware_releases");
  EXPECT_EQ(requested(), "5");
  database_.value("TRUNCATE rollout_configurations");
  EXPECT_EQ(requested(), "6");
}

TEST_F(Triggers, AChangedModelConcernsBoth) {
  database_.value(kInsertRollout);
  database_.value("UPDATE rollout_configurations SET device_model = 'esp8266'");
  EXPECT_EQ(requested("esp32"), "2");
  EXPECT_EQ(requested("esp8266"), "1");
}

TEST_F(Triggers, StateFollowsIsActiveAndLeadsIt) {
  database_.value(kInsertRollout);
  EXPECT_EQ(state(), "running true");
  database_.value("UPDATE rollout_configurations SET is_active = false");
  EXPECT_EQ(state(), "paused false");
  database_.value("UPDATE rollout_configurations SET is_active = true");
  EXPECT_EQ(state(), "running true");
  database_.value("UPDATE rollout_configurations SET state = 'finished'");
  EXPECT_EQ(state(), "finished false");
  database_.value("UPDATE rollout_configurations SET is_active = false, name = 'renamed'");
  EXPECT_EQ(state(), "finished false");
  EXPECT_THROW(database_.value("UPDATE rollout_configurations SET state = 'nonsense'"), std::exception);
}

TEST_F(Triggers, AChangeIsDated) {
  database_.value(kInsertRollout);
  database_.value("UPDATE rollout_configurations SET updated_at = now() - interval '1 day'");
  const auto before = database_.value("SELECT updated_at FROM rollout_configurations");
  database_.value("UPDATE rollout_configurations SET name = name");
  EXPECT_EQ(database_.value("SELECT updated_at FROM rollout_configurations"), before);
  database_.value("UPDATE rollout_configurations SET rollout_percentage = 1");
  EXPECT_EQ(database_.value("SELECT updated_at > now() - interval '1 minute' FROM rollout_configurations"),
            "t");
}

TEST_F(Triggers, ChangesByPsqlAreHeard) {
  sql::PgChangeListener listener(database_.service());
  const auto first = listener.wait(10'000);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_TRUE(first->catalog) << "a new connection may have missed something";
  EXPECT_FALSE(listener.wait(0)->catalog);
  database_.value(kInsertRollout);
  const auto heard = listener.wait(10'000);
  ASSERT_TRUE(heard) << heard.error().message;
  EXPECT_TRUE(heard->catalog);
  EXPECT_FALSE(listener.wait(0)->catalog);
}

TEST_F(Triggers, TheServicesRoleFiresThemWithoutRightsOnTheirTables) {
  database_.value_as_service(kInsertRollout);
  EXPECT_EQ(requested(), "1");
  EXPECT_THROW(database_.value_as_service("INSERT INTO push_requests (model) VALUES ('x')"), std::exception);
}

TEST_F(Triggers, ATemporaryTableCannotTakeTheirPlace) {
  database_.value_as_service(
      std::string("CREATE TEMP TABLE push_requests (model text PRIMARY KEY, requested bigint, "
                  "done bigint); ") +
      kInsertRollout);
  EXPECT_EQ(requested(), "1");
}

}  // namespace
}  // namespace ota::sql_test
