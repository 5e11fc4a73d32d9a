#include "bridge/rollout_loop.hpp"

#include <gtest/gtest.h>

#include "tests/support/fleet_builders.hpp"

namespace ota::bridge {
namespace {

using fleet::Expected;
using fleet::RolloutCommand;

class FakeControl final : public fleet::RolloutControl {
 public:
  struct Memory {
    std::map<std::int64_t, fleet::RolloutProgress> progress;
    std::vector<std::pair<std::int64_t, fleet::RolloutOrder>> orders;
    std::vector<fleet::StageStep> steps;
    std::vector<std::string> pushes;
    std::vector<fleet::DueDevice> due;
    int counts = 0;
  };
  explicit FakeControl(Memory* memory) : memory_(memory) {}

  Expected<std::map<std::int64_t, fleet::RolloutProgress>> progress(
      const std::vector<std::int64_t>& ids) override {
    std::map<std::int64_t, fleet::RolloutProgress> found;
    for (const auto id : ids) found[id] = memory_->progress[id];
    return found;
  }
  Expected<fleet::JsonValue> recent_failures(std::int64_t) override {
    return fleet::JsonValue{fleet::JsonValue::Array{{std::string("dev-7")}}};
  }
  Expected<fleet::OrderOutcome> order(std::int64_t id, const fleet::RolloutOrder& order) override {
    memory_->orders.emplace_back(id, order);
    if (order.command == RolloutCommand::roll_back)
      return fleet::fail(fleet::ErrorKind::conflict, "no way back");
    return fleet::OrderOutcome{};
  }
  Expected<void> advance(const fleet::StageStep& step) override {
    memory_->steps.push_back(step);
    return {};
  }
  Expected<void> note_stage_devices(std::int64_t id, std::int64_t count) override {
    ++memory_->counts;
    memory_->progress[id].due_devices = count - memory_->progress[id].started;
    return {};
  }
  Expected<std::vector<fleet::DueDevice>> due_devices(fleet::Time, int) override { return memory_->due; }
  Expected<void> request_push(const std::string& model) override {
    memory_->pushes.push_back(model);
    return {};
  }
  Expected<std::int64_t> prune_events(fleet::Time, int) override { return 0; }

 private:
  Memory* memory_;
};

class FakeInbox final : public fleet::FrontDesk {
 public:
  void submit(fleet::Message message, fleet::Reply reply) override {
    messages.push_back(std::move(message));
    replies.push_back(std::move(reply));
  }
  std::vector<fleet::Message> messages;
  std::vector<fleet::Reply> replies;
};

class FakeDevices final : public fleet::DeviceStore {
 public:
  Expected<fleet::DeviceDetails> find_device(const std::string&) override { return fleet::DeviceDetails{}; }
  Expected<void> patch_device(const std::string&, const fleet::DevicePatch&) override { return {}; }
  Expected<void> delete_device(const std::string&, const std::string&) override { return {}; }
  Expected<fleet::GroupOutcome> change_group(const fleet::GroupChange&) override {
    return fleet::GroupOutcome{};
  }
  Expected<std::vector<fleet::Device>> page_of_devices(const std::string&, const std::string& after,
                                                       int) override {
    return after.empty() ? devices : std::vector<fleet::Device>{};
  }
  Expected<std::map<std::string, std::int64_t>> running_versions(const std::string&) override {
    return std::map<std::string, std::int64_t>{};
  }
  std::vector<fleet::Device> devices;
};

class Loop : public ::testing::Test, public fleet::CatalogSource {
 protected:
  std::shared_ptr<const fleet::Catalog> catalog() const override { return catalog_; }

  void use(std::vector<fleet::Rollout> rollouts) {
    catalog_ = std::make_shared<const fleet::Catalog>(std::vector<fleet::Release>{tests::release(1, "1.1.0")},
                                                      std::move(rollouts));
  }
  void turn(bool judges = true) {
    if (!loop_) {
      RolloutLoop::Ports ports;
      ports.control = std::make_unique<FakeControl>(&memory_);
      ports.devices = &devices_;
      ports.inbox = &inbox_;
      ports.catalogs = this;
      ports.sha256 = &tests::test_sha256;
      ports.local_clock = &tests::utc_clock;
      ports.leads = [] { return true; };
      ports.now = [this] { return now_; };
      ports.refresh_catalog = [this] { ++refreshes_; };
      ports.sweep_images = [] {};
      loop_ = std::make_unique<RolloutLoop>(std::move(ports));
    }
    loop_->turn(judges);
  }

  std::shared_ptr<const fleet::Catalog> catalog_ = std::make_shared<const fleet::Catalog>();
  FakeControl::Memory memory_;
  FakeInbox inbox_;
  FakeDevices devices_;
  fleet::Time now_{std::chrono::hours(24 * 1000)};  // midnight in UTC
  int refreshes_ = 0;
  std::unique_ptr<RolloutLoop> loop_;
};

TEST_F(Loop, AsksForAPushWhenAWindowOpensAndWhenItCloses) {
  auto nightly = tests::rollout(1, "1.1.0");
  nightly.policy.windows = {{{true, true, true, true, true, true, true}, 60, 30, "UTC"}};
  use({nightly});
  turn();
  EXPECT_EQ(memory_.pushes.size(), 1U) << "nobody may have been there when it closed";
  turn();
  EXPECT_EQ(memory_.pushes.size(), 1U);
  now_ += std::chrono::minutes(60);
  turn();
  turn();
  EXPECT_EQ(memory_.pushes.size(), 2U);
  now_ += std::chrono::minutes(30);
  turn();
  EXPECT_EQ(memory_.pushes, (std::vector<std::string>{"esp32", "esp32", "esp32"}));
}

TEST_F(Loop, StartsAndEndsByTheSchedule) {
  auto later = tests::rollout(1, "1.1.0");
  later.state = fleet::RolloutState::scheduled;
  later.policy.start_at = now_ + std::chrono::hours(1);
  later.policy.end_at = now_ + std::chrono::hours(24);
  use({later});
  turn();
  EXPECT_TRUE(memory_.orders.empty());
  now_ += std::chrono::hours(1);
  turn();
  ASSERT_EQ(memory_.orders.size(), 1U);
  EXPECT_EQ(memory_.orders[0].second.command, RolloutCommand::start);
  EXPECT_EQ(refreshes_, 1);
  now_ += std::chrono::hours(24);
  turn();
  EXPECT_EQ(memory_.orders.back().second.command, RolloutCommand::finish);
}

TEST_F(Loop, HandsDueDevicesInOnceUntilTheyAreAnswered) {
  memory_.due = {{"a", 7}, {"b", 0}};
  turn();
  turn();
  ASSERT_EQ(inbox_.messages.size(), 2U);
  EXPECT_EQ(std::get<fleet::Expire>(inbox_.messages[0].body).attempt_id, 7);
  EXPECT_TRUE(std::holds_alternative<fleet::Settle>(inbox_.messages[1].body));
  EXPECT_EQ(inbox_.messages[0].channel, fleet::Channel::internal);
  for (auto& reply : inbox_.replies) reply(fleet::Answer{fleet::ReportAnswer{true, ""}});
  turn();
  EXPECT_EQ(inbox_.messages.size(), 4U);
}

TEST_F(Loop, HaltsWithTheDevicesThatHaltedIt) {
  use({tests::rollout(1, "1.1.0")});
  auto& progress = memory_.progress[1];
  progress.started = progress.finished = progress.finished_since = 10;
  progress.failures_since[0] = 2;
  turn(false);
  EXPECT_TRUE(memory_.orders.empty()) << "not looked at";
  turn();
  ASSERT_EQ(memory_.orders.size(), 1U);
  EXPECT_EQ(memory_.orders[0].second.command, RolloutCommand::pause);
  EXPECT_NE(memory_.orders[0].second.halted_json.find("dev-7"), std::string::npos);
  EXPECT_NE(memory_.orders[0].second.why.find("2 of 10"), std::string::npos);
}

TEST_F(Loop, PausesWhatCannotBeTakenBackByItself) {
  auto strict = tests::rollout(1, "1.1.0");
  strict.policy.abort_criteria = {{std::nullopt, 0, 1, RolloutCommand::roll_back}};
  use({strict});
  auto& progress = memory_.progress[1];
  progress.started = progress.finished = progress.finished_since = 1;
  progress.failures_since[0] = 1;
  turn();
  ASSERT_EQ(memory_.orders.size(), 2U);
  EXPECT_EQ(memory_.orders[1].second.command, RolloutCommand::pause);
  EXPECT_NE(memory_.orders[1].second.why.find("no way back"), std::string::npos);
}

TEST_F(Loop, CountsTheFleetOnceAndNotWhileNothingChanges) {
  auto staged = tests::rollout(1, "1.1.0");
  staged.policy.stages = {{99, 95, 5, 0}, {100, 95, 1, 0}};
  staged.target.percentage = 99;
  use({staged});
  devices_.devices = {tests::device("esp32_001", "1.0.0"), tests::device("esp32_002", "1.1.0")};
  turn();
  turn();
  turn();
  EXPECT_EQ(memory_.counts, 1);
  EXPECT_TRUE(memory_.steps.empty());
}

}  // namespace
}  // namespace ota::bridge
