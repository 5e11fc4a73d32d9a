#include <gtest/gtest.h>

#include "sql/push_store.hpp"
#include "tests/sql/fixture.hpp"

namespace ota::sql_test {
namespace {

class Reconcile : public testing::Test {
 protected:
  void SetUp() override {
    database_.value(
        "INSERT INTO offers (device_id, attempt_id, rollout_id, release_id, version, open, taken, "
        "wanted_revision, published_revision) VALUES "
        "('missing', 1, 1, 1, '1.1.0', true, false, 2, 2), ('seen', 2, 1, 1, '1.1.0', true, false, 1, 1), "
        "('other attempt', 3, 1, 1, '1.1.0', true, false, 1, 1), "
        "('taken', 4, 1, 1, '1.1.0', true, true, 2, 2), ('ended', 5, 1, 1, '1.1.0', false, false, 3, 3), "
        "('only on rest', 6, 1, 1, '1.1.0', true, false, 1, 1)");
    database_.value(
        "INSERT INTO devices (device_id, device_model, seen_on_mqtt) "
        "SELECT device_id, 'esp32', device_id <> 'only on rest' FROM offers");
    ASSERT_TRUE(store_.begin_reading());
  }

  TestDatabase database_;
  sql::PgReconcileStore store_{database_.service()};
};

TEST_F(Reconcile, MarksStandingOffersTheBrokerLost) {
  ASSERT_TRUE(store_.add_seen({{"seen", 2}, {"other attempt", 1}, {"taken", 4}}));
  const auto marked = store_.mark_missing();
  ASSERT_TRUE(marked) << marked.error().message;
  EXPECT_EQ(*marked, 2);
  EXPECT_EQ(database_.value("SELECT string_agg(device_id, ',' ORDER BY device_id) FROM offers "
                            "WHERE wanted_revision <> published_revision"),
            "missing,other attempt");
}

TEST_F(Reconcile, MarksManyOffersInPieces) {
  database_.value(
      "WITH made AS (INSERT INTO devices (device_id, device_model, seen_on_mqtt) "
      "SELECT 'd' || n, 'esp32', true FROM generate_series(1, 12000) n RETURNING device_id) "
      "INSERT INTO offers (device_id, attempt_id, rollout_id, release_id, version, open, taken, "
      "wanted_revision, published_revision) SELECT device_id, 7, 1, 1, '1.1.0', true, false, 1, 1 FROM made");
  const auto marked = store_.mark_missing();
  ASSERT_TRUE(marked) << marked.error().message;
  EXPECT_EQ(*marked, 12003);
  EXPECT_EQ(*store_.mark_missing(), 0);
}

TEST_F(Reconcile, TellsWhatStandsThoughItShouldNot) {
  ASSERT_TRUE(store_.add_seen({{"seen", 2}, {"taken", 4}, {"ended", 5}, {"stranger", 0}}));
  EXPECT_EQ(*store_.stale("", 10), (std::vector<std::string>{"ended", "stranger", "taken"}));
  EXPECT_EQ(*store_.stale("", 1), (std::vector<std::string>{"ended"}));
  EXPECT_EQ(*store_.stale("stranger", 10), (std::vector<std::string>{"taken"}));
}

TEST_F(Reconcile, TheLastSightOfADeviceCounts) {
  ASSERT_TRUE(store_.add_seen({{"seen", 9}, {"seen", 2}}));
  ASSERT_TRUE(store_.add_seen({{"missing", 7}}));
  ASSERT_TRUE(store_.add_seen({{"missing", 1}}));
  EXPECT_EQ(*store_.mark_missing(), 1) << "only 'other attempt'";
}

TEST_F(Reconcile, BeginsEachReadingAnew) {
  ASSERT_TRUE(store_.add_seen({{"stranger", 0}}));
  ASSERT_TRUE(store_.begin_reading());
  EXPECT_TRUE(store_.stale("", 10)->empty());
}

TEST_F(Reconcile, HostileTopicNamesAreNoTrouble) {
  ASSERT_TRUE(store_.add_seen({{"a'\"\\{},", 0}}));
  EXPECT_EQ(*store_.stale("", 10), (std::vector<std::string>{"a'\"\\{},"}));
  const auto nul = store_.add_seen({{std::string("a\0b", 3), 0}});
  ASSERT_FALSE(nul);
  EXPECT_EQ(nul.error().kind, fleet::ErrorKind::invalid);
}

}  // namespace
}  // namespace ota::sql_test
