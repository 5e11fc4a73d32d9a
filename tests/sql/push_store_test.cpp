#include <gtest/gtest.h>

#include "sql/push_store.hpp"
#include "tests/sql/fixture.hpp"

namespace ota::sql_test {
namespace {

class Push : public testing::Test {
 protected:
  void insert_devices() {
    database_.value(
        "INSERT INTO devices (device_id, device_model, current_firmware_version, seen_on_mqtt) VALUES "
        "('B', 'esp32', '1.0.0', true), ('a', 'esp32', '1.0.0', true), ('c', 'esp32', '1.0.0', false), "
        "('d', 'esp32', '1.0.0', false), ('e', 'other', '1.0.0', true)");
    database_.value(
        "INSERT INTO offers (device_id, attempt_id, rollout_id, release_id, version, wanted_revision) "
        "VALUES ('d', 5, 1, 1, '1.1.0', 1)");
  }

  fleet::Offer offer_of(std::int64_t attempt_id, std::int64_t revision) {
    fleet::Offer offer;
    offer.attempt_id = attempt_id;
    offer.version = "1.1.0";
    offer.wanted_revision = revision;
    return offer;
  }

  static fleet::BatchChanges offers(std::vector<fleet::OfferChange> changed) {
    fleet::BatchChanges changes;
    changes.offers = std::move(changed);
    return changes;
  }

  std::vector<std::string> page(const std::string& after, int count_max) {
    std::vector<std::string> ids;
    const auto devices = store_.load_page("esp32", after, count_max);
    EXPECT_TRUE(devices) << devices.error().message;
    if (devices) {
      for (const auto& device : *devices) ids.push_back(device.id);
    }
    const auto saved = store_.save_page({});
    EXPECT_TRUE(saved) << saved.error().message;
    return ids;
  }

  TestDatabase database_;
  sql::PgPushStore store_{database_.service()};
};

using Ids = std::vector<std::string>;

TEST_F(Push, RequestsStayOpenUntilTheirRevisionIsDone) {
  database_.value(
      "INSERT INTO push_requests (model, requested, done) VALUES ('b', 3, 1), ('a', 1, 0), ('c', 2, 2)");
  auto open = store_.open_requests();
  ASSERT_TRUE(open) << open.error().message;
  ASSERT_EQ(open->size(), 2U);
  EXPECT_EQ(open->at(0).model, "a");
  EXPECT_EQ(open->at(1).revision, 3);
  database_.value("UPDATE push_requests SET requested = 4 WHERE model = 'b'");  // another change meanwhile
  ASSERT_TRUE(store_.finish_request(open->at(0)));
  ASSERT_TRUE(store_.finish_request(open->at(1)));
  open = store_.open_requests();
  ASSERT_EQ(open->size(), 1U);
  EXPECT_EQ(open->at(0).model, "b");
  EXPECT_EQ(open->at(0).revision, 4);
}

TEST_F(Push, AWalkCanBeAskedFor) {
  database_.value("INSERT INTO push_requests (model, requested, done) VALUES ('a', 2, 2)");
  ASSERT_TRUE(store_.request_push("a"));
  ASSERT_TRUE(store_.request_push("unheard"));
  const auto open = store_.open_requests();
  ASSERT_EQ(open->size(), 1U);
  EXPECT_EQ(open->front().model, "a");
  EXPECT_EQ(open->front().revision, 3);
}

TEST_F(Push, PagesHoldDevicesSeenOnMqttOrWithAnOpenOfferInByteOrder) {
  insert_devices();
  EXPECT_EQ(page("", 2), (Ids{"B", "a"}));
  EXPECT_EQ(page("a", 2), (Ids{"d"}));
  EXPECT_EQ(page("d", 2), Ids{});
}

TEST_F(Push, APageIsLockedUntilSaved) {
  insert_devices();
  ASSERT_TRUE(store_.load_page("esp32", "", 10));
  EXPECT_EQ(database_.value("SELECT string_agg(device_id, ',' ORDER BY id) FROM ("
                            "SELECT id, device_id FROM devices FOR UPDATE SKIP LOCKED) free"),
            "c,e");
  ASSERT_TRUE(store_.save_page({}));
  EXPECT_EQ(database_.value("SELECT count(*) FROM (SELECT FROM devices FOR UPDATE SKIP LOCKED) free"), "5");
}

TEST_F(Push, SavedOffersAreUnpublishedUntilAcknowledged) {
  insert_devices();
  ASSERT_TRUE(store_.load_page("esp32", "", 10));
  const auto at = now();
  ASSERT_TRUE(store_.save_page(
      offers({{"B", offer_of(11, 1), at}, {"a", offer_of(12, 1), at}, {"d", offer_of(5, 2), at}})));

  EXPECT_TRUE(store_.unpublished(at, "", 10)->empty()) << "wanted_before is exclusive";
  const auto later = at + std::chrono::seconds(1);
  auto wanted = store_.unpublished(later, "", 10);
  ASSERT_TRUE(wanted) << wanted.error().message;
  ASSERT_EQ(wanted->size(), 2U) << "d was only seen on REST";
  EXPECT_EQ(wanted->at(0).device_id, "B");
  EXPECT_EQ(wanted->at(0).device_version, "1.0.0");
  EXPECT_EQ(wanted->at(1).offer.attempt_id, 12);
  EXPECT_EQ(store_.unpublished(later, "B", 10)->size(), 1U);
  EXPECT_EQ(store_.unpublished(later, "", 1)->size(), 1U);

  ASSERT_TRUE(store_.mark_published({{"nobody", 1}, {"a", 1}, {"B", 1}, {"a", 0}}));
  EXPECT_TRUE(store_.unpublished(later, "", 10)->empty());
}

TEST_F(Push, AnOlderOfferAcknowledgedLateIsReplacedOnTheBroker) {
  insert_devices();
  ASSERT_TRUE(store_.load_page("esp32", "", 10));
  ASSERT_TRUE(store_.save_page(offers({{"a", offer_of(12, 3), now()}})));
  ASSERT_TRUE(store_.mark_published({{"a", 3}}));
  ASSERT_TRUE(store_.mark_published({{"a", 2}}));
  const auto due = store_.unpublished(now() + std::chrono::seconds(1), "", 10);
  ASSERT_TRUE(due) << due.error().message;
  ASSERT_EQ(due->size(), 1U) << "the broker may retain the older one now";
  EXPECT_EQ(due->front().offer.wanted_revision, 3);
  ASSERT_TRUE(store_.mark_published({{"a", 3}}));
  EXPECT_TRUE(store_.unpublished(now() + std::chrono::seconds(1), "", 10)->empty());
}

TEST_F(Push, SavingWithoutAPageIsRefused) {
  const auto saved = store_.save_page({});
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().kind, fleet::ErrorKind::internal);
}

TEST_F(Push, GivesNewAttemptIds) {
  const auto first = store_.next_attempt_id();
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_NE(*first, *store_.next_attempt_id());
}

}  // namespace
}  // namespace ota::sql_test
