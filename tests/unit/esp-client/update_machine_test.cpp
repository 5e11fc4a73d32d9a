// The rules of the contract's section 4, seen from outside the agent.
#include <gtest/gtest.h>

#include "tests/unit/esp-client/fake_platform.hpp"

namespace ota::device::tests {
namespace {

class UpdateLoop : public ::testing::Test {
 protected:
  void connect() { device_->agent().on_connected(); }
  // Ends this boot and begins the next.
  FakePlatform& boot_again() {
    const std::uint64_t now_ms = device_->now_ms();
    device_.reset();
    device_ = std::make_unique<FakePlatform>(flash_, now_ms + 1000);
    return *device_;
  }
  FakePlatform& device() { return *device_; }
  State state() { return device_->agent().machine().state(); }
  std::string status() { return device_->last(Topic::kStatus); }
  // From an offer to the moment the slot is switched.
  void install(const std::string& image) {
    device().offer(offer_json(image));
    device().serve(image);
    device().ack(value_of(status(), "report_id"));
  }

  Flash flash_;
  std::string image_ = image_of(50'000);
  std::unique_ptr<FakePlatform> device_ = std::make_unique<FakePlatform>(flash_);
};

TEST_F(UpdateLoop, GoesFromCheckToSuccess) {
  connect();
  EXPECT_EQ(value_of(device().last(Topic::kPresence), "online"), "true");
  EXPECT_TRUE(device().published[0].retained);
  EXPECT_EQ(value_of(device().last(Topic::kCheck), "current_version"), "1.0.0");
  const std::string old_boot_id = value_of(device().last(Topic::kCheck), "boot_id");

  device().offer(offer_json(image_));
  EXPECT_EQ(value_of(status(), "status"), "downloading");
  EXPECT_EQ(value_of(status(), "attempt_id"), "257");
  EXPECT_EQ(device().download_url, "/api/firmware/download/1.1.0");
  device().serve(image_);
  EXPECT_EQ(value_of(status(), "status"), "installing");
  EXPECT_EQ(flash_.version, "1.0.0") << "the switch waits until the server knows";
  device().ack(value_of(status(), "report_id"));
  EXPECT_EQ(flash_.version, "1.1.0");
  ASSERT_EQ(device().reboot_wanted, Reboot::kNormal);

  boot_again();
  EXPECT_EQ(state(), State::kTrial);
  EXPECT_TRUE(device().published.empty());
  connect();
  EXPECT_FALSE(flash_.on_trial);
  EXPECT_EQ(value_of(device().last(Topic::kCheck), "current_version"), "1.1.0");
  EXPECT_NE(value_of(device().last(Topic::kCheck), "boot_id"), old_boot_id);
  EXPECT_EQ(value_of(status(), "status"), "success");
  EXPECT_EQ(value_of(status(), "attempt_id"), "257");
  EXPECT_EQ(flash_.slots[1], image_);
  device().ack(value_of(status(), "report_id"));
  ASSERT_EQ(device().settled.size(), 1U);
  EXPECT_EQ(device().settled[0].first.status, Status::kSuccess);
  EXPECT_TRUE(device().settled[0].second);
}

TEST_F(UpdateLoop, AKeptOfferIsAHint) {
  connect();
  device().offer(R"({"update_available":false})");
  const std::size_t checks = device().count(Topic::kCheck);
  device().offer(offer_json(image_), false);
  EXPECT_FALSE(device().downloading);
  EXPECT_EQ(device().count(Topic::kCheck), checks + 1);
  device().offer(offer_json(image_), false);
  EXPECT_EQ(device().count(Topic::kCheck), checks + 1) << "one question is enough";
  device().offer(offer_json(image_));
  EXPECT_TRUE(device().downloading);
}

TEST_F(UpdateLoop, TheRunningVersionIsNotTaken) {
  connect();
  device().offer(offer_json(image_, "1.0.0"));
  EXPECT_EQ(state(), State::kIdle);
  EXPECT_EQ(device().count(Topic::kStatus), 0U);
}

TEST_F(UpdateLoop, AnUnreadableOfferOfTheRunningVersionIsNoFailure) {
  connect();
  std::string bad = offer_json(image_, "1.0.0");
  bad.replace(bad.find(fake_sha256_hex(image_)), 64, "not a hash");
  device().offer(bad);
  EXPECT_EQ(device().count(Topic::kStatus), 0U);
  device().offer(offer_json(image_));
  EXPECT_TRUE(device().downloading) << "and nothing is held back for it";
}

TEST_F(UpdateLoop, AnEmptyOfferTouchesNothing) {
  connect();
  device().offer(offer_json(image_));
  device().offer("");
  device().offer("", false);
  EXPECT_TRUE(device().downloading);
  EXPECT_EQ(state(), State::kLoading);
}

TEST_F(UpdateLoop, NoUpdateWhileLoadingTouchesNothing) {
  connect();
  device().offer(offer_json(image_));
  device().offer(R"({"update_available":false,"current_version":"1.0.0","reason":"paused"})");
  EXPECT_EQ(state(), State::kLoading);
}

TEST_F(UpdateLoop, AnOfferMayAskForARandomStart) {
  connect();
  device().offer(offer_json(image_, "1.1.0", 257, R"(,"start_within_seconds":3600)"));
  EXPECT_EQ(state(), State::kWaiting);
  EXPECT_FALSE(device().downloading);
  EXPECT_EQ(value_of(status(), "status"), "pending") << "the server knows that it is taken";
  device().advance(3'600'000);
  EXPECT_TRUE(device().downloading);
  device().serve(image_);
  EXPECT_EQ(value_of(status(), "status"), "installing");
}

TEST_F(UpdateLoop, WithdrawnStopsTheDownload) {
  connect();
  device().offer(offer_json(image_));
  device().offer(R"({"update_available":false,"attempt_id":99,"reason":"withdrawn"})");
  EXPECT_EQ(state(), State::kLoading) << "another attempt";
  device().offer(R"({"update_available":false,"attempt_id":257,"reason":"withdrawn"})");
  EXPECT_EQ(state(), State::kIdle);
  EXPECT_FALSE(device().downloading);
  EXPECT_EQ(value_of(status(), "status"), "failed");
  EXPECT_EQ(value_of(status(), "error_message"), "withdrawn by the server");
}

TEST_F(UpdateLoop, WithdrawnComesTooLateForAnInstallation) {
  connect();
  device().offer(offer_json(image_));
  device().serve(image_);
  ASSERT_EQ(state(), State::kInstalling);
  device().offer(R"({"update_available":false,"attempt_id":257,"reason":"withdrawn"})");
  device().ack(value_of(status(), "report_id"));
  EXPECT_EQ(flash_.version, "1.1.0");
}

TEST_F(UpdateLoop, AnotherImageTakesThePlaceOfTheOneUnderWay) {
  connect();
  device().offer(offer_json(image_));
  const std::string better = image_of(40'000, 'y');
  device().offer(offer_json(better, "1.2.0", 258));
  EXPECT_EQ(device().stops, 1U);
  EXPECT_EQ(device().download_url, "/api/firmware/download/1.2.0");
  EXPECT_EQ(value_of(status(), "attempt_id"), "258");
  device().serve(better);
  EXPECT_EQ(state(), State::kInstalling);
}

TEST_F(UpdateLoop, TheSameImageInANewAttemptGoesOn) {
  connect();
  device().offer(offer_json(image_));
  device().respond(200);
  device().feed(image_.substr(0, 20'000));
  device().offer(offer_json(image_, "1.1.0", 300));
  EXPECT_EQ(device().stops, 0U);
  EXPECT_EQ(value_of(status(), "attempt_id"), "300");
  device().offer(R"({"update_available":false,"attempt_id":300,"reason":"withdrawn"})");
  EXPECT_EQ(state(), State::kIdle);
}

TEST_F(UpdateLoop, ResultsAreSentAgainUntilAnswered) {
  connect();
  install(image_);
  boot_again();
  connect();
  const std::string report_id = value_of(status(), "report_id");
  std::uint64_t last_ms = device().now_ms();
  for (int i = 0; i < 8; ++i) {
    const std::size_t sent = device().count(Topic::kStatus);
    while (device().count(Topic::kStatus) == sent) ASSERT_TRUE(device().advance_to_deadline());
    EXPECT_EQ(value_of(status(), "report_id"), report_id);
    EXPECT_GE(device().now_ms() - last_ms, FakePlatform::timing.answer_timeout_ms);
    EXPECT_LE(device().now_ms() - last_ms,
              FakePlatform::timing.answer_timeout_ms + FakePlatform::timing.result_retry.cap_ms);
    last_ms = device().now_ms();
  }
  boot_again();  // and over a restart
  connect();
  EXPECT_EQ(value_of(status(), "report_id"), report_id);
  EXPECT_EQ(value_of(status(), "status"), "success");
  device().ack("of-somebody-else");
  EXPECT_TRUE(device().settled.empty());
  device().ack(report_id, false);
  ASSERT_EQ(device().settled.size(), 1U);
  EXPECT_FALSE(device().settled[0].second) << "refused is final too";
  boot_again();
  connect();
  EXPECT_EQ(device().count(Topic::kStatus), 0U);
}

TEST_F(UpdateLoop, ReportIdsNeverRepeat) {
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    connect();
    device().offer(offer_json(image_, "1.1.0", 400 + i));
    device().offer(R"({"update_available":false,"attempt_id":)" + std::to_string(400 + i) +
                   R"(,"reason":"withdrawn"})");
    for (const Message& message : device().published) {
      if (message.topic == Topic::kStatus &&
          value_of(message.payload, "attempt_id") == std::to_string(400 + i)) {
        ids.push_back(value_of(message.payload, "report_id"));
      }
    }
    boot_again();
  }
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
  EXPECT_EQ(ids.size(), 6U);
}

TEST_F(UpdateLoop, AnImageThatDoesNotStartIsReportedAsRolledBack) {
  connect();
  install(image_);
  flash_.trial_boots = 3;  // it crashed so often
  boot_again();
  EXPECT_EQ(flash_.version, "1.0.0");
  connect();
  EXPECT_EQ(value_of(status(), "status"), "rolled_back");
  EXPECT_EQ(value_of(status(), "firmware_version"), "1.1.0");
  EXPECT_EQ(value_of(device().last(Topic::kCheck), "current_version"), "1.0.0");
  EXPECT_FALSE(flash_.rolled_back);
}

TEST_F(UpdateLoop, AnImageThatNeverReachesItsServerIsGivenUp) {
  connect();
  install(image_);
  boot_again();
  device().advance(FakePlatform::timing.trial_ms + 1);
  EXPECT_EQ(device().reboot_wanted, Reboot::kIntoOldImage);
}

TEST_F(UpdateLoop, ChecksAreRepeatedUntilAnsweredAndThenAtTheInterval) {
  connect();
  for (std::size_t i = 1; i < 6; ++i) {
    EXPECT_EQ(device().count(Topic::kCheck), i);
    device().advance_to_deadline();
  }
  device().offer(R"({"update_available":false,"current_version":"1.0.0"})");
  const std::uint64_t quiet_from_ms = device().now_ms();
  const std::size_t checks = device().count(Topic::kCheck);
  device().advance_to_deadline();
  EXPECT_EQ(device().count(Topic::kCheck), checks + 1);
  const std::uint64_t interval_ms = FakePlatform::timing.check_interval_ms;
  EXPECT_GE(device().now_ms() - quiet_from_ms, interval_ms - interval_ms / 10);
  EXPECT_LE(device().now_ms() - quiet_from_ms, interval_ms + interval_ms / 10);
}

TEST_F(UpdateLoop, AnInterruptedDownloadGoesOnOnlyWhenStillWanted) {
  connect();
  device().offer(offer_json(image_));
  device().respond(200);
  device().feed(image_.substr(0, 20'000));
  device().advance(FakePlatform::timing.progress_gap_ms);
  device().feed(image_.substr(20'000, 5'000));
  boot_again();
  EXPECT_EQ(state(), State::kResuming);
  connect();
  EXPECT_FALSE(device().downloading) << "first the server is asked";
  device().offer(offer_json(image_));
  EXPECT_TRUE(device().downloading);
  EXPECT_GT(device().download_offset, 0U);
  boot_again();
  connect();
  device().offer(R"({"update_available":false,"current_version":"1.0.0","reason":"withdrawn"})");
  EXPECT_EQ(state(), State::kIdle);
  EXPECT_EQ(value_of(status(), "status"), "failed");
}

TEST_F(UpdateLoop, PiecesThatDoNotFitTogetherAreLoadedOnceMore) {
  connect();
  device().offer(offer_json(image_));
  device().respond(200);
  device().feed(image_.substr(0, 20'000));
  device().agent().on_download_end("connection reset");
  flash_.slots[1][100] = '!';  // a bit has flipped
  device().advance_to_deadline();
  ASSERT_GT(device().download_offset, 0U);
  device().serve(image_);
  EXPECT_TRUE(device().downloading);
  EXPECT_EQ(device().download_offset, 0U);
  device().serve(image_);
  EXPECT_EQ(state(), State::kInstalling);
}

TEST_F(UpdateLoop, ATakenOfferIsStoredOnce) {
  connect();
  const unsigned saves = device().saves;
  device().offer(offer_json(image_, "1.1.0", 257, R"(,"start_within_seconds":3600)"));
  EXPECT_EQ(device().saves, saves + 1);
  device().offer(offer_json(image_of(40'000, 'y'), "1.2.0", 258, R"(,"start_within_seconds":3600)"));
  EXPECT_EQ(device().saves, saves + 2) << "with the result of the one whose place it takes";
}

TEST_F(UpdateLoop, WhatFailedIsNotTriedAgainAtOnce) {
  connect();
  std::string other = image_;
  other[0] = '!';
  device().offer(offer_json(image_));
  device().serve(other);
  EXPECT_EQ(value_of(status(), "status"), "failed");
  device().ack(value_of(status(), "report_id"));
  device().offer(offer_json(image_, "1.1.0", 258));
  EXPECT_FALSE(device().downloading);
  device().advance(FakePlatform::timing.hold.base_ms * 2 + 1);
  device().offer(offer_json(image_, "1.1.0", 258));
  EXPECT_TRUE(device().downloading);
}

TEST_F(UpdateLoop, AnAttemptWithAnUnansweredResultIsNotTakenAgain) {
  connect();
  device().offer(offer_json(image_));
  device().offer(R"({"update_available":false,"attempt_id":257,"reason":"withdrawn"})");
  device().offer(offer_json(image_));
  EXPECT_EQ(state(), State::kIdle);
}

TEST_F(UpdateLoop, ProgressIsToldInTensAndNotMoreThanOnceASecond) {
  connect();
  device().offer(offer_json(image_));
  const std::size_t before = device().count(Topic::kStatus);
  device().respond(200);
  device().feed(image_.substr(0, 25'000));
  EXPECT_EQ(device().count(Topic::kStatus), before);
  device().advance(FakePlatform::timing.progress_gap_ms);
  device().feed(image_.substr(25'000, 20'000));
  EXPECT_EQ(device().count(Topic::kStatus), before + 1);
  EXPECT_EQ(value_of(status(), "progress_percent"), "50");
}

TEST_F(UpdateLoop, TheDownloadOutlivesTheBroker) {
  connect();
  device().offer(offer_json(image_));
  device().agent().on_disconnected();
  device().serve(image_);
  EXPECT_EQ(flash_.version, "1.1.0") << "nobody to tell, nothing to wait for";
}

TEST_F(UpdateLoop, ALostRecordStillEndsWell) {
  connect();
  install(image_);
  flash_.record = "garbage";
  boot_again();
  EXPECT_EQ(device().problems.size(), 1U);
  connect();
  EXPECT_FALSE(flash_.on_trial);
  EXPECT_EQ(value_of(device().last(Topic::kCheck), "current_version"), "1.1.0")
      << "the hello settles the attempt";
}

TEST_F(UpdateLoop, TheOldestOfTooManyResultsGoes) {
  connect();
  for (int i = 0; i < 5; ++i) {
    device().offer(offer_json(image_, "1.1.0", 500 + i));
    device().offer(R"({"update_available":false,"attempt_id":)" + std::to_string(500 + i) +
                   R"(,"reason":"withdrawn"})");
  }
  const Record& record = device().agent().machine().record();
  ASSERT_EQ(record.result_count, kResultsMax);
  EXPECT_EQ(record.results[0].attempt_id.view(), "502");
  EXPECT_EQ(record.results[2].attempt_id.view(), "504");
}

}  // namespace
}  // namespace ota::device::tests
