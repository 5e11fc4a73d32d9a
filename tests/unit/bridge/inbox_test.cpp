#include "bridge/inbox.hpp"

#include <gtest/gtest.h>

#include <future>

#include "tests/support/fake_update_store.hpp"
#include "tests/support/fleet_builders.hpp"

namespace ota::bridge {
namespace {

class EmptyCatalog final : public fleet::CatalogSource {
 public:
  [[nodiscard]] std::shared_ptr<const fleet::Catalog> catalog() const override { return catalog_; }

 private:
  std::shared_ptr<const fleet::Catalog> catalog_ = std::make_shared<const fleet::Catalog>();
};

class InboxTest : public ::testing::Test {
 protected:
  InboxTest() {
    Inbox::Ports ports;
    ports.stores.push_back(std::make_unique<tests::FakeUpdateStore>(&memory_));
    ports.catalogs = &catalog_;
    ports.sha256 = &tests::test_sha256;
    ports.local_clock = &tests::utc_clock;
    ports.turned_away = [](std::int64_t, const fleet::Device&) {};
    ports.offer_changed = [](const fleet::Device&) {};
    ports.events_written = [] {};
    inbox_ = std::make_unique<Inbox>(std::move(ports));
  }
  std::future<fleet::Expected<fleet::Answer>> submit(const std::string& id, fleet::Channel channel,
                                                     const std::string& version = "1.0.0") {
    auto promise = std::make_shared<std::promise<fleet::Expected<fleet::Answer>>>();
    inbox_->submit({id, channel, fleet::Time{}, fleet::Check{"esp32", version, "", "", ""}},
                   [promise](const fleet::Expected<fleet::Answer>& answer) { promise->set_value(answer); });
    return promise->get_future();
  }

  tests::FakeUpdateStore::Memory memory_;
  EmptyCatalog catalog_;
  std::unique_ptr<Inbox> inbox_;
};

TEST_F(InboxTest, GathersWhatHasComeIntoOneBatch) {
  std::vector<std::future<fleet::Expected<fleet::Answer>>> answers;
  for (int i = 0; i < 40; ++i) answers.push_back(submit("dev" + std::to_string(i), fleet::Channel::rest));
  inbox_->start();
  for (auto& answer : answers) EXPECT_TRUE(answer.get());
  inbox_->stop();
  EXPECT_EQ(memory_.batch_sizes, std::vector<std::size_t>{40});
}

TEST_F(InboxTest, PollersAreToldWhileTheDatabaseIsAwayAndMqttMessagesWait) {
  memory_.away_for = 2;
  auto rest = submit("dev1", fleet::Channel::rest);
  auto mqtt = submit("dev2", fleet::Channel::mqtt);
  inbox_->start();
  const auto told = rest.get();
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().kind, fleet::ErrorKind::unavailable);
  EXPECT_TRUE(mqtt.get());
  inbox_->stop();
}

TEST_F(InboxTest, ALockedDeviceHoldsUpNobodyElse) {
  memory_.locked_devices = {"dev1"};
  auto locked = submit("dev1", fleet::Channel::mqtt);
  auto poller = submit("dev1", fleet::Channel::rest);
  inbox_->start();
  EXPECT_TRUE(submit("dev2", fleet::Channel::mqtt).get());
  EXPECT_FALSE(poller.get()) << "it asks again";
  auto next = submit("dev1", fleet::Channel::mqtt);
  EXPECT_EQ(next.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  memory_.unlocked = true;
  EXPECT_TRUE(locked.get());
  EXPECT_TRUE(next.get());
  inbox_->stop();
}

TEST_F(InboxTest, TheMessagesOfALockedDeviceKeepTheirOrder) {
  memory_.locked_devices = {"dev1"};
  std::vector<std::future<fleet::Expected<fleet::Answer>>> answers;
  answers.push_back(submit("dev1", fleet::Channel::mqtt, "1.0.0"));
  inbox_->start();
  EXPECT_TRUE(submit("dev2", fleet::Channel::mqtt).get());
  memory_.unlocked = true;
  for (const char* version : {"1.1.0", "1.2.0"})
    answers.push_back(submit("dev1", fleet::Channel::mqtt, version));
  for (auto& answer : answers) EXPECT_TRUE(answer.get());
  inbox_->stop();
  EXPECT_EQ(memory_.devices["dev1"].version, "1.2.0");
}

TEST_F(InboxTest, WhatIsHeldIsTriedOnceMoreWhenItStopsAndThenRefused) {
  memory_.locked_devices = {"dev1"};
  auto locked = submit("dev1", fleet::Channel::mqtt);
  inbox_->start();
  EXPECT_TRUE(submit("dev2", fleet::Channel::mqtt).get());
  inbox_->stop();
  EXPECT_FALSE(locked.get());
}

TEST_F(InboxTest, RefusesBeyondItsBoundInsteadOfGrowing) {
  std::vector<std::future<fleet::Expected<fleet::Answer>>> answers;
  for (int i = 0; i < 20001; ++i) answers.push_back(submit("dev" + std::to_string(i), fleet::Channel::rest));
  const auto last = answers.back().get();
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().kind, fleet::ErrorKind::unavailable);
}

TEST_F(InboxTest, StopFinishesWhatWasTakenInAndRefusesTheRest) {
  auto early = submit("dev1", fleet::Channel::mqtt);
  inbox_->start();
  inbox_->stop();
  EXPECT_TRUE(early.get());
  EXPECT_FALSE(submit("dev2", fleet::Channel::mqtt).get());
}

}  // namespace
}  // namespace ota::bridge
