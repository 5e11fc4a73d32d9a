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
  // A newer rollout comes on top, of 1.2.0.
  void roll_out_1_2() { catalog_ = std::make_shared<const Catalog>(catalog_->with(rollout(2, "1.2.0"))); }
  FlowContext context() {
    slots_.emplace([this](std::int64_t, const PushRate&) { return Expected<int>(free_slots_); });
    return {catalog_, tests::circumstances(now_), [this] { return Expected<std::int64_t>(next_id_++); },
            &*slots_};
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
  int free_slots_ = 0;
  std::optional<SlotBudget> slots_;
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
  for (int i = 0; i < 3; ++i) {
    const auto answer = check("1.0.0", "b" + std::to_string(i));
    ASSERT_TRUE(std::holds_alternative<OfferAnswer>(answer)) << i;
    EXPECT_EQ(std::get<OfferAnswer>(answer).attempt_id, 100 + i);
    report(Status::installing);
    const auto failed = check("1.0.0", "b" + std::to_string(i + 1));
    ASSERT_TRUE(std::holds_alternative<NoUpdateAnswer>(failed)) << "a pause follows a failure";
    now_ += std::chrono::hours(1);
  }
  const auto held = check("1.0.0", "b9");
  ASSERT_TRUE(std::holds_alternative<NoUpdateAnswer>(held));
  EXPECT_NE(std::get<NoUpdateAnswer>(held).reason.find("held"), std::string::npos);
  EXPECT_EQ(work_.attempts.back().status, Status::rolled_back);
}

TEST_F(DeviceFlow, ASuccessForgetsTheFailuresBeforeIt) {
  check("1.0.0");
  report(Status::failed);
  EXPECT_EQ(work_.device.offer->failed_attempts, 1);
  now_ += std::chrono::hours(1);
  check("1.0.0");
  EXPECT_EQ(work_.device.offer->failed_attempts, 1);
  report(Status::success);
  EXPECT_EQ(work_.device.offer->failed_attempts, 0);
  EXPECT_EQ(work_.device.offer->last_failure, std::nullopt);
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

TEST_F(DeviceFlow, WhichAttemptIsNewerItsBeginTellsAndNotItsId) {
  const auto success_of = [this](std::int64_t id, std::chrono::minutes began_after_the_offer) {
    Attempt attempt;
    attempt.id = id;
    attempt.version = "5.0.0";
    attempt.status = Status::downloading;
    attempt.started_at = work_.device.offer->offered_at + began_after_the_offer;
    const Report message{"5.0.0", Status::success, {}, "", id, {}};
    EXPECT_TRUE(on_report(work_, message, {attempt}, context()));
    return work_.device.version;
  };
  check("1.0.0");
  now_ += std::chrono::hours(1);
  EXPECT_EQ(success_of(300, std::chrono::minutes(-1)), "1.0.0") << "a late result";
  EXPECT_EQ(success_of(50, std::chrono::minutes(1)), "5.0.0");
  report(Status::downloading);
  work_.device.version = "1.0.0";
  EXPECT_EQ(success_of(51, std::chrono::minutes(2)), "1.0.0") << "the offer's was begun after it";
}

TEST_F(DeviceFlow, ReportWithoutAnyOfferOpensAnAttemptOfItsOwn) {
  EXPECT_TRUE(report(Status::downloading, "5.0.0").recorded);
  ASSERT_EQ(work_.attempts.size(), 1U);
  EXPECT_EQ(work_.attempts[0].rollout_id, 0);
  EXPECT_EQ(work_.attempts[0].version, "5.0.0");
}

TEST_F(DeviceFlow, PushMakesReplacesAndClearsButNeverTouchesAnAttemptUnderWay) {
  const auto settle = [this] { return settle_offer(work_, context()).has_value(); };
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
  ASSERT_TRUE(settle_offer(work_, context()));
  EXPECT_FALSE(work_.device.offer->is_standing());
  EXPECT_EQ(work_.device.offer->wanted_revision, 2);
}

TEST_F(DeviceFlow, NothingIsDueOnTheBrokerForADeviceThatPolls) {
  work_.device.on_mqtt = false;
  check("1.0.0");
  EXPECT_EQ(work_.device.offer->published_revision, work_.device.offer->wanted_revision);
  work_.device.on_mqtt = true;
  report(Status::downloading);
  EXPECT_LT(work_.device.offer->published_revision, work_.device.offer->wanted_revision);
}

TEST_F(DeviceFlow, RestOnlyDevicesGetNoPush) {
  work_.device.on_mqtt = false;
  ASSERT_TRUE(settle_offer(work_, context()));
  EXPECT_FALSE(work_.device.offer);
}

TEST_F(DeviceFlow, AnAttemptTimesOutAtItsDeadlineAndNoSooner) {
  check("1.0.0");
  report(Status::downloading);
  const auto expire = [this] { return on_expire(work_, {work_.device.attempt}, context()).has_value(); };
  now_ += std::chrono::hours(24) - std::chrono::seconds(1);
  ASSERT_TRUE(expire());
  EXPECT_EQ(work_.device.attempt->status, Status::downloading);
  now_ += std::chrono::seconds(1);
  ASSERT_TRUE(expire());
  EXPECT_EQ(work_.device.attempt->status, Status::failed);
  EXPECT_EQ(work_.device.attempt->failure, FailureKind::timed_out);
  EXPECT_FALSE(work_.device.offer->open);
  EXPECT_EQ(work_.device.offer->retry_at, now_ + std::chrono::minutes(5));
}

TEST_F(DeviceFlow, InstallingWithoutAHelloFailsAfterTheConfirmTimeOnMqttOnly) {
  check("1.0.0");
  report(Status::installing);
  EXPECT_EQ(work_.device.attempt->due_at, now_ + std::chrono::minutes(15));
  now_ += std::chrono::minutes(15);
  ASSERT_TRUE(on_expire(work_, {work_.device.attempt}, context()));
  EXPECT_EQ(work_.device.attempt->failure, FailureKind::offline_after_install);

  work_ = {};
  work_.device = device("poller", "1.0.0");
  work_.device.on_mqtt = false;
  check("1.0.0");
  report(Status::installing);
  EXPECT_EQ(work_.device.attempt->due_at, now_ + std::chrono::hours(24));
}

TEST_F(DeviceFlow, TheHelloOfTheNewVersionCompletesWhatHasTimedOut) {
  check("1.0.0");
  report(Status::installing);
  now_ += std::chrono::minutes(15);
  ASSERT_TRUE(on_expire(work_, {work_.device.attempt}, context()));
  check("1.1.0", "b2");
  EXPECT_EQ(work_.device.attempt->status, Status::success);
  EXPECT_EQ(work_.device.attempt->failure, std::nullopt);
  EXPECT_EQ(work_.device.offer->retry_at, std::nullopt);
}

TEST_F(DeviceFlow, ARateLetsDevicesWaitAndTheirOffersAreKept) {
  auto limited = rollout(1, "1.1.0");
  limited.policy.rate.in_flight_max = 1;
  catalog_ = std::make_shared<const Catalog>(std::vector<Release>{release(2, "1.1.0")},
                                             std::vector<Rollout>{limited});
  const auto waits = std::get<NoUpdateAnswer>(check("1.0.0"));
  EXPECT_EQ(waits.waits_for_rollout, 1);
  EXPECT_FALSE(work_.device.offer);
  free_slots_ = 1;
  EXPECT_TRUE(std::holds_alternative<OfferAnswer>(check("1.0.0")));
  free_slots_ = 0;
  EXPECT_TRUE(std::holds_alternative<OfferAnswer>(check("1.0.0"))) << "it has its slot";
}

TEST_F(DeviceFlow, AWithdrawnReleaseStopsWhatHasNotBegunToInstall) {
  const auto withdraw = [this] {
    auto bad = release(2, "1.1.0");
    bad.withdrawn = true;
    catalog_ =
        std::make_shared<const Catalog>(std::vector<Release>{bad}, std::vector<Rollout>{rollout(1, "1.1.0")});
  };
  check("1.0.0");
  report(Status::downloading);
  const auto good = catalog_;
  withdraw();
  ASSERT_TRUE(settle_offer(work_, context()));
  EXPECT_EQ(work_.device.attempt->failure, FailureKind::withdrawn);
  EXPECT_FALSE(work_.device.offer->open);
  EXPECT_EQ(work_.device.offer->failed_attempts, 0);

  work_ = {};
  work_.device = device("dev2", "1.0.0");
  catalog_ = good;
  check("1.0.0");
  report(Status::installing);
  withdraw();
  ASSERT_TRUE(settle_offer(work_, context()));
  EXPECT_EQ(work_.device.attempt->status, Status::installing);
}

TEST_F(DeviceFlow, AReplacedAttemptEndsAtItsDeadlineAndIsNobodysFailure) {
  check("1.0.0");
  report(Status::downloading);
  roll_out_1_2();
  check("1.0.0");
  EXPECT_EQ(work_.device.offer->version, "1.2.0");
  ASSERT_EQ(work_.attempts.size(), 1U);
  EXPECT_EQ(work_.attempts[0].failure, FailureKind::withdrawn) << "in no figure of its rollout from now on";
  now_ += std::chrono::hours(24);
  ASSERT_TRUE(on_expire(work_, {work_.attempts[0]}, context()));
  EXPECT_EQ(work_.attempts[0].status, Status::failed);
  EXPECT_EQ(work_.attempts[0].failure, FailureKind::withdrawn);
  EXPECT_TRUE(work_.device.offer->is_standing());
  EXPECT_EQ(work_.device.offer->failed_attempts, 0);
}

TEST_F(DeviceFlow, AReplacedAttemptIsCompletedByTheHelloOfItsVersion) {
  check("1.0.0");
  report(Status::installing);
  roll_out_1_2();
  check("1.0.0");
  const auto answer = check("1.1.0", "b2");
  ASSERT_EQ(work_.attempts.size(), 1U);
  EXPECT_EQ(work_.attempts[0].status, Status::success);
  EXPECT_EQ(work_.attempts[0].failure, std::nullopt);
  EXPECT_EQ(event_types(), (std::vector<std::string>{"update_started", "update_completed"}));
  EXPECT_EQ(std::get<OfferAnswer>(answer).release->version, "1.2.0");
  EXPECT_EQ(std::get<OfferAnswer>(answer).current_version, "1.1.0");
}

TEST_F(DeviceFlow, ThatItComesBackWithTheNewerOneRollsNothingBack) {
  check("1.0.0");
  report(Status::installing);
  roll_out_1_2();
  check("1.0.0");
  check("1.2.0", "b2");
  ASSERT_EQ(work_.attempts.size(), 2U);
  EXPECT_EQ(work_.attempts[0].status, Status::installing);
  EXPECT_EQ(work_.attempts[1].status, Status::success);
}

TEST_F(DeviceFlow, AnAttemptOfTheDevicesOwnEndsByAHelloToo) {
  report(Status::installing, "5.0.0");
  check("5.0.0", "b2");
  EXPECT_EQ(work_.attempts.at(0).status, Status::success);
}

TEST_F(DeviceFlow, ARollbackTakesBackExactlyThoseThatTookIt) {
  check("1.0.0");
  report(Status::installing);
  check("1.1.0", "b2");
  auto back = rollout(9, "1.0.0");
  back.rolls_back = 1;
  back.allow_downgrade = true;
  catalog_ = std::make_shared<const Catalog>(std::vector<Release>{release(1, "1.0.0"), release(2, "1.1.0")},
                                             std::vector<Rollout>{back});
  ASSERT_TRUE(settle_offer(work_, context()));
  EXPECT_EQ(work_.device.offer->version, "1.0.0");
  report(Status::installing, "1.0.0", {}, work_.device.offer->attempt_id);
  check("1.0.0", "b3");
  EXPECT_EQ(work_.device.version, "1.0.0");
  EXPECT_NE(std::get<NoUpdateAnswer>(check("1.0.0", "b3")).reason.find("already"), std::string::npos);

  work_ = {};
  work_.device = device("newcomer", "1.1.0");
  EXPECT_TRUE(std::holds_alternative<NoUpdateAnswer>(check("1.1.0")));
}

}  // namespace
}  // namespace ota::fleet
