#include "bridge/batch.hpp"

#include <gtest/gtest.h>

#include "tests/support/fake_update_store.hpp"
#include "tests/support/fleet_builders.hpp"

namespace ota::bridge {
namespace {

using fleet::Status;

class FixedCatalog final : public fleet::CatalogSource {
 public:
  [[nodiscard]] std::shared_ptr<const fleet::Catalog> catalog() const override { return catalog_; }
  /// A newer rollout, of `version`, comes on top.
  void roll_out(const std::string& version) {
    catalog_ = std::make_shared<const fleet::Catalog>(catalog_->with(tests::rollout(2, version)));
  }

 private:
  std::shared_ptr<const fleet::Catalog> catalog_ = std::make_shared<const fleet::Catalog>(
      std::vector<fleet::Release>{tests::release(1, "1.1.0"), tests::release(2, "1.2.0")},
      std::vector<fleet::Rollout>{tests::rollout(1, "1.1.0")});
};

class Batch : public ::testing::Test {
 protected:
  void add(const std::string& device_id, decltype(fleet::Message::body) body,
           fleet::Channel channel = fleet::Channel::mqtt) {
    const auto index = answers_.size();
    answers_.emplace_back();
    errands_.push_back(
        {{device_id, channel, fleet::Time(std::chrono::hours(1)), std::move(body)},
         [this, index](const fleet::Expected<fleet::Answer>& answer) { answers_[index] = answer; }});
  }
  void add_check(const std::string& id, const std::string& version = "1.0.0") {
    add(id, fleet::Check{"esp32", version, "", "", ""});
  }
  void add_report(const std::string& id, Status status, std::optional<std::int64_t> attempt_id = {}) {
    add(id, fleet::Report{"1.1.0", status, {}, "", attempt_id, {}});
  }
  // What is told of a report that is a batch of its own.
  fleet::ReportAnswer report(const std::string& id, Status status, std::int64_t attempt_id) {
    add_report(id, status, attempt_id);
    run();
    return std::get<fleet::ReportAnswer>(**answers_.back());
  }
  // dev1 is offered 1.1.0 (attempt 1), and then `version` (attempt 2) before it says that it has begun.
  void replace_offer_by(const std::string& version) {
    add_check("dev1");
    run();
    catalog_.roll_out(version);
    add_check("dev1");
    run();
  }
  // The same by REST, with a token.
  void add_shown(const std::string& id, const std::string& token) {
    add_check(id);
    errands_.back().message.channel = fleet::Channel::rest;
    errands_.back().message.token = tests::test_sha256(token);
  }
  fleet::ErrorKind refusal(std::size_t index) { return answers_.at(index)->error().kind; }
  BatchOutcome run() {
    auto outcome = run_batch(std::move(errands_), writer_);
    errands_.clear();
    return outcome;
  }

  tests::FakeUpdateStore::Memory memory_;
  FixedCatalog catalog_;
  std::vector<Errand> errands_;
  std::vector<std::optional<fleet::Expected<fleet::Answer>>> answers_;
  std::vector<std::string> offers_changed_;
  Writer writer_{std::make_unique<tests::FakeUpdateStore>(&memory_),
                 &catalog_,
                 &tests::test_sha256,
                 &tests::utc_clock,
                 [this](const fleet::Device& device) { offers_changed_.push_back(device.id); },
                 [](std::int64_t, const fleet::Device&) {}};
};

TEST_F(Batch, IsDecidedByRulesAsNewAsItsLocks) {
  writer_.refresh_catalog = [this] {
    catalog_.roll_out("1.2.0");
    return true;
  };
  memory_.catalog_revision = 7;  // of the catalog here none is known
  add_check("dev1");
  run();
  EXPECT_EQ(std::get<fleet::OfferAnswer>(**answers_.back()).release->version, "1.2.0");
}

TEST_F(Batch, IsPostponedWhileNewerRulesCannotBeRead) {
  writer_.refresh_catalog = [] { return false; };
  memory_.catalog_revision = 7;
  add_check("dev1");
  const auto outcome = run();
  EXPECT_EQ(outcome.postponed.size(), 1U);
  EXPECT_EQ(memory_.commits, 0);
}

TEST_F(Batch, AnOfferGoesToTheBrokerOnce) {
  add_check("dev1");
  add("dev2", fleet::Check{"esp32", "1.0.0", "", "", ""}, fleet::Channel::rest);
  add("up to date", fleet::Check{"esp32", "1.1.0", "", "", ""}, fleet::Channel::rest);
  run();
  EXPECT_EQ(offers_changed_, std::vector<std::string>{"dev2"}) << "the answer to dev1 is its offer";
  add_check("dev3");
  add_report("dev3", Status::downloading);
  run();
  EXPECT_EQ(offers_changed_, (std::vector<std::string>{"dev2", "dev3"})) << "taken: what stands is cleared";
}

TEST_F(Batch, MessagesOfOneDeviceSeeEachOthersEffectsInOrder) {
  add_check("dev1");
  add_report("dev1", Status::downloading);
  add_report("dev1", Status::installing);
  add_check("dev1", "1.1.0");
  run();
  EXPECT_EQ(memory_.commits, 1);
  EXPECT_EQ(memory_.batch_sizes, std::vector<std::size_t>{1});
  EXPECT_TRUE(std::holds_alternative<fleet::OfferAnswer>(**answers_[0]));
  EXPECT_TRUE(std::holds_alternative<fleet::NoUpdateAnswer>(**answers_[3]));
  ASSERT_EQ(memory_.attempts.size(), 1U);
  EXPECT_EQ(memory_.attempts.begin()->second.second.status, Status::success);
  EXPECT_EQ(memory_.events.size(), 2U);
}

TEST_F(Batch, ABootOfALaterMessageIsNotTheOneItInstalledIn) {
  add("dev1", fleet::Check{"esp32", "1.0.0", "boot-a", "", ""});
  run();
  add_report("dev1", Status::installing, 1);
  add("dev1", fleet::Check{"esp32", "1.0.0", "boot-b", "", ""});
  run();
  EXPECT_EQ(memory_.attempts.at(1).second.status, Status::rolled_back);
  EXPECT_EQ(memory_.devices["dev1"].boot_id, "boot-b");
}

TEST_F(Batch, OneRefusedRowNeverFailsItsNeighbours) {
  memory_.refused_devices = {"dev3"};
  for (int i = 0; i < 8; ++i) add_check("dev" + std::to_string(i));
  run();
  for (std::size_t i = 0; i < answers_.size(); ++i) {
    ASSERT_TRUE(answers_[i]) << i;
    EXPECT_EQ(answers_[i]->has_value(), i != 3) << i;
  }
  EXPECT_EQ(memory_.devices.size(), 7U);
}

TEST_F(Batch, AMessageThatThrowsLeavesNobodyWithoutAnAnswer) {
  memory_.throwing_devices = {"dev3"};
  for (int i = 0; i < 8; ++i) add_check("dev" + std::to_string(i));
  run();
  for (std::size_t i = 0; i < 8; ++i) {
    ASSERT_TRUE(answers_[i]) << i;
    EXPECT_EQ(answers_[i]->has_value(), i != 3) << i;
  }
  EXPECT_EQ(refusal(3), fleet::ErrorKind::internal);
}

TEST_F(Batch, ALockedRowIsHeldWithAllItsMessagesAndTheOthersGoOn) {
  memory_.locked_devices = {"dev3"};
  for (int i = 0; i < 8; ++i) add_check("dev" + std::to_string(i));
  add_report("dev3", Status::downloading);
  const auto outcome = run();
  EXPECT_TRUE(outcome.postponed.empty());
  ASSERT_EQ(outcome.held.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<fleet::Check>(outcome.held[0].message.body));
  EXPECT_TRUE(std::holds_alternative<fleet::Report>(outcome.held[1].message.body));
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(answers_[i].has_value(), i != 3) << i;
}

TEST_F(Batch, WhatIsHeldIsNotOvertakenFromTheOtherHalf) {
  memory_.locked_for = 2;  // the whole batch, and its first half
  add_check("dev1");
  add_check("dev2");
  add_report("dev1", Status::downloading);
  const auto outcome = run();
  EXPECT_EQ(outcome.held.size(), 2U);
  EXPECT_TRUE(answers_[1]);
  EXPECT_FALSE(answers_[2]);
}

TEST_F(Batch, ALockedTableIsNotSearchedRowByRow) {
  for (int i = 0; i < 500; ++i) {
    memory_.locked_devices.insert("dev" + std::to_string(i));
    add_check("dev" + std::to_string(i));
  }
  const auto outcome = run();
  EXPECT_EQ(outcome.postponed.size() + outcome.held.size(), 500U);
  EXPECT_GT(outcome.postponed.size(), 400U);
  EXPECT_LT(memory_.batch_sizes.size(), 60U);
}

TEST_F(Batch, IsPostponedAsAWholeWhileTheDatabaseIsAway) {
  memory_.away_for = 1;
  add_check("dev1");
  add_report("dev2", Status::success);
  const auto outcome = run();
  EXPECT_EQ(outcome.postponed.size(), 2U);
  EXPECT_FALSE(answers_[0]);
  EXPECT_FALSE(answers_[1]);
}

TEST_F(Batch, AnUnknownAttemptOfAnUnknownVersionIsRefusedForGood) {
  add_check("dev1");
  add("dev1", fleet::Report{"9.9.9", Status::success, {}, "", 4711, {}});
  run();
  const auto& answer = std::get<fleet::ReportAnswer>(**answers_[1]);
  EXPECT_FALSE(answer.recorded);
  EXPECT_NE(answer.reason.find("4711"), std::string::npos);
  EXPECT_TRUE(memory_.attempts.empty());
}

TEST_F(Batch, TheResultOfAnAttemptReplacedBeforeItsBeginIsFiledByItselfAndOnce) {
  replace_offer_by("1.2.0");
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(report("dev1", Status::failed, 1).recorded) << i;
  ASSERT_EQ(memory_.attempts.size(), 1U);
  EXPECT_EQ(memory_.attempts.begin()->second.second.status, Status::failed);
  EXPECT_EQ(memory_.attempts.begin()->second.second.version, "1.1.0");
  EXPECT_EQ(memory_.events.size(), 2U);
  const auto& offer = *memory_.devices["dev1"].offer;
  EXPECT_EQ(offer.attempt_id, 2);
  EXPECT_TRUE(offer.is_standing());
  EXPECT_EQ(offer.failed_attempts, 0);
}

TEST_F(Batch, ItIsNotFiledUnderAnOfferOfTheSameVersionEither) {
  replace_offer_by("1.1.0");
  EXPECT_TRUE(report("dev1", Status::downloading, 1).recorded);
  EXPECT_TRUE(report("dev1", Status::failed, 1).recorded);
  ASSERT_EQ(memory_.attempts.size(), 1U);
  EXPECT_TRUE(memory_.devices["dev1"].offer->is_standing());

  EXPECT_TRUE(report("dev1", Status::downloading, 2).recorded);
  EXPECT_TRUE(report("dev1", Status::failed, 1).recorded) << "once more";
  EXPECT_EQ(memory_.attempts.at(2).second.status, Status::downloading);
}

TEST_F(Batch, ItsSuccessIsFiledAndSaysNothingOfWhatRunsNow) {
  replace_offer_by("1.2.0");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(report("dev1", Status::success, 1).recorded);
  ASSERT_EQ(memory_.attempts.size(), 1U);
  EXPECT_EQ(memory_.attempts.begin()->second.second.status, Status::success);
  EXPECT_EQ(memory_.devices["dev1"].version, "1.0.0");
}

TEST_F(Batch, AnAttemptOfAnotherDeviceIsNeverTouched) {
  add_check("dev1");
  add_report("dev1", Status::downloading, 1);
  add_check("dev2");
  run();
  EXPECT_TRUE(report("dev2", Status::failed, 1).recorded) << "as one of its own";
  EXPECT_EQ(memory_.attempts.at(1).first, "dev1");
  EXPECT_EQ(memory_.attempts.at(1).second.status, Status::downloading);
  EXPECT_EQ(memory_.attempts.rbegin()->second.first, "dev2");
  EXPECT_EQ(memory_.attempts.rbegin()->second.second.status, Status::failed);
}

TEST_F(Batch, ReportsAfterAFailureAreOneFurtherAttempt) {
  add_check("dev1");
  add_report("dev1", Status::downloading);
  add_report("dev1", Status::failed);
  for (const auto status : {Status::downloading, Status::downloaded, Status::installing, Status::success}) {
    add_report("dev1", status);
    run();  // each in a batch of its own, so that it is found again in the database
  }
  ASSERT_EQ(memory_.attempts.size(), 2U);
  EXPECT_EQ(memory_.attempts.begin()->second.second.status, Status::failed);
  EXPECT_EQ(memory_.attempts.rbegin()->second.second.status, Status::success);
  EXPECT_EQ(memory_.devices["dev1"].version, "1.1.0");
}

TEST_F(Batch, AResultOfAnotherVersionThanItsAttemptIsRefusedForGood) {
  add_check("dev1");
  run();
  const auto attempt_id = memory_.devices["dev1"].offer->attempt_id;
  add("dev1", fleet::Report{"9.9.9", Status::success, {}, "", attempt_id, {}});
  run();
  const auto told = std::get<fleet::ReportAnswer>(**answers_.back());
  EXPECT_FALSE(told.recorded);
  EXPECT_EQ(told.reason, "attempt_id 1 is of version 1.1.0, and firmware_version says 9.9.9");
  EXPECT_EQ(memory_.devices["dev1"].version, "1.0.0");
}

TEST_F(Batch, AnotherEndThanTheAttemptHasIsNotRecorded) {
  add_check("dev1");
  add_report("dev1", Status::failed, 1);
  add_report("dev1", Status::downloading, 1);
  add_report("dev1", Status::failed, 1);
  add_report("dev1", Status::success, 1);
  run();
  EXPECT_TRUE(std::get<fleet::ReportAnswer>(**answers_[2]).recorded) << "late, and heard";
  EXPECT_TRUE(std::get<fleet::ReportAnswer>(**answers_[3]).recorded) << "a repetition";
  const auto told = std::get<fleet::ReportAnswer>(**answers_[4]);
  EXPECT_FALSE(told.recorded);
  EXPECT_EQ(told.reason, "the attempt has already ended as failed");
}

TEST_F(Batch, RepeatedResultsWithoutAnOfferAreOneAttempt) {
  for (int i = 0; i < 10; ++i) add_report("dev1", Status::success);
  run();
  EXPECT_EQ(memory_.attempts.size(), 1U);
  EXPECT_EQ(memory_.events.size(), 2U);
}

TEST_F(Batch, MacOfAnotherDeviceIsRefusedWithOneEvent) {
  for (int i = 0; i < 3; ++i) {
    add("dev1", fleet::Check{"esp32", "1.1.0", "", "AA:BB:CC:DD:EE:FF", ""});
    run();
  }
  ASSERT_EQ(memory_.events.size(), 1U);
  EXPECT_EQ(memory_.events[0].type, "mac_refused");
}

TEST_F(Batch, ARefusedMacIsToldWhenTheFirstTryIsNotCommitted) {
  memory_.failing_commits = 1;
  for (int i = 0; i < 2; ++i) {
    add("dev1", fleet::Check{"esp32", "1.1.0", "", "AA:BB:CC:DD:EE:FF", ""});
    run();
  }
  EXPECT_EQ(memory_.events.size(), 1U);
}

TEST_F(Batch, OnlyADevicesOwnTokenSpeaksForIt) {
  memory_.tokens = {{"dev1", tests::test_sha256("one")}, {"dev2", tests::test_sha256("two")}};
  add_shown("dev1", "one");
  add_shown("dev2", "one");
  add_shown("dev3", "three");
  run();
  EXPECT_TRUE(std::holds_alternative<fleet::OfferAnswer>(**answers_[0]));
  EXPECT_EQ(refusal(1), fleet::ErrorKind::forbidden);
  EXPECT_EQ(refusal(2), fleet::ErrorKind::unauthorized);
  EXPECT_EQ(memory_.devices.size(), 1U) << "of the others nothing was recorded";
  EXPECT_EQ(memory_.token_queries, 1);
}

TEST_F(Batch, AForgedMessageDoesNotRideOnAGenuineOne) {
  memory_.tokens = {{"dev1", tests::test_sha256("one")}};
  add_shown("dev1", "one");
  add_shown("dev1", "forged");
  std::get<fleet::Check>(errands_.back().message.body).version = "6.6.6";
  run();
  EXPECT_TRUE(*answers_[0]);
  EXPECT_EQ(refusal(1), fleet::ErrorKind::unauthorized);
  EXPECT_EQ(memory_.devices.at("dev1").version, "1.0.0");
}

TEST_F(Batch, ARevokedCertificateSpeaksForNobody) {
  memory_.revoked_serials = {"4a"};
  add_check("dev1");
  errands_.back().message.serial = "4a";
  add_check("dev2");
  errands_.back().message.serial = "4b";
  run();
  EXPECT_EQ(refusal(0), fleet::ErrorKind::forbidden);
  EXPECT_TRUE(*answers_[1]);
  EXPECT_EQ(memory_.devices.count("dev1"), 0U);
}

TEST_F(Batch, AsksForNoTokensWhereNoneIsShown) {
  add_check("dev1");
  run();
  EXPECT_EQ(memory_.token_queries, 0);
}

TEST_F(Batch, NobodyIsTurnedAwayWhileTheTokensCannotBeRead) {
  memory_.away_for = 1;
  add_shown("dev1", "one");
  add_check("dev2");
  EXPECT_EQ(run().postponed.size(), 2U);
  EXPECT_FALSE(answers_[0]);
}

TEST_F(Batch, ABatchOfRefusedMessagesTouchesNoRow) {
  add_shown("dev1", "one");
  run();
  EXPECT_EQ(refusal(0), fleet::ErrorKind::unauthorized);
  EXPECT_TRUE(memory_.batch_sizes.empty());
}

}  // namespace
}  // namespace ota::bridge
