#include "fleet/device_flow.hpp"

#include <gtest/gtest.h>

#include "tests/support/fleet_builders.hpp"

namespace ota::fleet {
namespace {

using tests::device;
using tests::release;
using tests::rollout;

class DeviceFlow : public ::testing::Test {
 protected:
  DeviceFlow() { work_.device = device("dev1", "1.0.0"); }

  Answer check(const std::string& version, const std::string& boot_id = "b1") {
    Check message{"esp32", version, boot_id, "", ""};
    return on_check(work_, message, context()).value();
  }
  ReportAnswer report(Status status, const std::string& version = "1.1.0", std::optional<int> progress = {},
                      std::optional<std::int64_t> attempt_id = {}) {
    Report message{version, status, progress, "", attempt_id, {}};
    return std::get<ReportAnswer>(on_report(work_, message, {work_.device.attempt}, context()).value());
  }
  FlowContext context() {
    return {catalog_, tests::test_sha256, now_, [this] { return Expected<std::int64_t>(next_id_++); }};
  }
  std::vector<std::string> event_types() const {
    std::vector<std::string> types;
    for (const auto& event : work_.events) types.push_back(event.type);
    return types;
  }

  std::shared_ptr<const Catalog> catalog_ = std::make_shared<const Catalog>(
      std::vector<Release>{release(1, "1.0.0"), release(2, "1.1.0"), release(3, "1.2.0")},
      std::vector<Rollout>{rollout(1, "1.1.0")});
  DeviceWork work_;
  Time now_{std::chrono::hours(1)};
  std::int64_t next_id_ = 100;
};

TEST_F(DeviceFlow, OfferKeepsItsAttemptOverRepeatedChecks) {
  const auto first = std::get<OfferAnswer>(check("1.0.0"));
  const auto again = std::get<OfferAnswer>(check("1.0.0"));
  EXPECT_EQ(first.attempt_id, 100);
  EXPECT_EQ(again.attempt_id, 100);
  EXPECT_EQ(again.revision, first.revision);
  EXPECT_TRUE(again.retain);
  EXPECT_EQ(first.release->version, "1.1.0");
}

TEST_F(DeviceFlow, FirstReportTakesTheOfferAndStartsOnce) {
  check("1.0.0");
  const auto revision = work_.device.offer->wanted_revision;
  report(Status::downloading, "1.1.0", 10);
  report(Status::downloading, "1.1.0", 50);
  report(Status::downloading, "1.1.0", 30);
  EXPECT_TRUE(work_.device.offer->taken);
  EXPECT_EQ(work_.device.offer->wanted_revision, revision + 1);
  EXPECT_EQ(work_.device.attempt->progress_percent, 50);
  EXPECT_EQ(event_types(), std::vector<std::string>{"update_started"});
  EXPECT_FALSE(std::get<OfferAnswer>(check("1.0.0")).retain);
}

TEST_F(DeviceFlow, HelloOfTheNewVersionCompletesTheAttempt) {
  check("1.0.0");
  report(Status::installing);
  const auto answer = check("1.1.0", "b2");
  EXPECT_TRUE(std::holds_alternative<NoUpdateAnswer>(answer));
  EXPECT_EQ(work_.device.attempt->status, Status::success);
  EXPECT_EQ(event_types(), (std::vector<std::string>{"update_started", "update_completed"}));
  report(Status::success);
  EXPECT_EQ(work_.events.size(), 2U);
}

TEST_F(DeviceFlow, PollerThatNeverReportsIsCompletedByItsNextCheck) {
  check("1.0.0");
  check("1.1.0");
  ASSERT_EQ(work_.attempts.size(), 1U);
  EXPECT_EQ(work_.attempts[0].id, 100);
  EXPECT_EQ(work_.attempts[0].status, Status::success);
}

TEST_F(DeviceFlow, OldVersionAfterInstallingRollsBackAndAThirdFailureHolds) {
  for (int i = 0; i < kFailedAttemptsMax; ++i) {
    const auto answer = check("1.0.0", "b" + std::to_string(i));
    ASSERT_TRUE(std::holds_alternative<OfferAnswer>(answer)) << i;
    EXPECT_EQ(std::get<OfferAnswer>(answer).attempt_id, 100 + i);
    report(Status::installing);
  }
  const auto held = check("1.0.0", "b9");
  ASSERT_TRUE(std::holds_alternative<NoUpdateAnswer>(held));
  EXPECT_NE(std::get<NoUpdateAnswer>(held).reason.find("held"), std::string::npos);
  EXPECT_EQ(work_.attempts.back().status, Status::rolled_back);
}

TEST_F(DeviceFlow, SameResultTenTimesIsOneTransitionAndOneEvent) {
  check("1.0.0");
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(report(Status::success).recorded);
  report(Status::downloading, "1.1.0", 80);
  EXPECT_EQ(work_.device.attempt->status, Status::success);
  EXPECT_EQ(work_.attempts.size(), 1U);
  EXPECT_EQ(event_types(), (std::vector<std::string>{"update_started", "update_completed"}));
  EXPECT_EQ(work_.device.version, "1.1.0");
}

TEST_F(DeviceFlow, LateResultOfAnOldAttemptIsFiledThereOnly) {
  check("1.0.0");
  Attempt old;
  old.id = 7;
  old.version = "0.9.0";
  old.status = Status::downloading;
  Report late{"0.9.0", Status::success, {}, "", 7, {}};
  ASSERT_TRUE(on_report(work_, late, {old}, context()));
  EXPECT_EQ(work_.device.version, "1.0.0");
  EXPECT_FALSE(work_.device.offer->taken);
  EXPECT_EQ(work_.attempts.at(0).id, 7);
}

TEST_F(DeviceFlow, ReportWithoutAnyOfferOpensAnAttemptOfItsOwn) {
  EXPECT_TRUE(report(Status::downloading, "5.0.0").recorded);
  ASSERT_EQ(work_.attempts.size(), 1U);
  EXPECT_EQ(work_.attempts[0].rollout_id, 0);
  EXPECT_EQ(work_.attempts[0].version, "5.0.0");
}

TEST_F(DeviceFlow, PushMakesReplacesAndClearsButNeverTouchesAnAttemptUnderWay) {
  const auto settle = [this] {
    return settle_offer(work_, decide(work_.device, *catalog_, tests::test_sha256), context()).has_value();
  };
  ASSERT_TRUE(settle());
  EXPECT_EQ(work_.device.offer->version, "1.1.0");
  catalog_ = std::make_shared<const Catalog>(std::vector<Release>{release(2, "1.1.0"), release(3, "1.2.0")},
                                             std::vector<Rollout>{rollout(1, "1.1.0"), rollout(2, "1.2.0")});
  ASSERT_TRUE(settle());
  EXPECT_EQ(work_.device.offer->version, "1.2.0");
  EXPECT_EQ(work_.device.offer->wanted_revision, 2);
  report(Status::downloading, "1.2.0", 10, work_.device.offer->attempt_id);
  catalog_ = std::make_shared<const Catalog>();
  ASSERT_TRUE(settle());
  EXPECT_TRUE(work_.device.offer->open);
}

TEST_F(DeviceFlow, UntakenOfferIsClearedWhenTheRolloutEnds) {
  check("1.0.0");
  catalog_ =
      std::make_shared<const Catalog>(std::vector<Release>{release(2, "1.1.0")}, std::vector<Rollout>{});
  ASSERT_TRUE(settle_offer(work_, decide(work_.device, *catalog_, tests::test_sha256), context()));
  EXPECT_FALSE(work_.device.offer->is_standing());
  EXPECT_EQ(work_.device.offer->wanted_revision, 2);
}

TEST_F(DeviceFlow, RestOnlyDevicesGetNoPush) {
  work_.device.on_mqtt = false;
  ASSERT_TRUE(settle_offer(work_, decide(work_.device, *catalog_, tests::test_sha256), context()));
  EXPECT_FALSE(work_.device.offer);
}

}  // namespace
}  // namespace ota::fleet
