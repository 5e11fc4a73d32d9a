#include "fleet/rollout_engine.hpp"

#include <gtest/gtest.h>

#include "fleet/iso_time.hpp"
#include "tests/support/fleet_builders.hpp"

namespace ota::fleet {
namespace {

constexpr Time kNow{std::chrono::hours(1000)};

Rollout staged(std::vector<Stage> stages) {
  auto made = tests::rollout(1, "1.1.0");
  made.target.percentage = stages.front().percentage;
  made.policy.stages = std::move(stages);
  made.stage_entered_at = kNow - std::chrono::hours(1);
  return made;
}

RolloutProgress progress(int started, int finished, int succeeded) {
  RolloutProgress made;
  made.started = started;
  made.finished = made.finished_since = finished;
  made.succeeded = succeeded;
  made.failures_since[0] = finished - succeeded;
  return made;
}

template <class T>
std::optional<T> verdict_of(const Rollout& rollout, const RolloutProgress& figures) {
  const auto verdict = evaluate(rollout, figures, kNow);
  const auto* found = std::get_if<T>(&verdict);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

TEST(RolloutEngine, HaltsOnlyAboveTheThreshold) {
  auto rollout = tests::rollout(1, "1.1.0");
  rollout.policy.abort_criteria = {{std::nullopt, 20, 10, RolloutCommand::pause}};
  EXPECT_FALSE(verdict_of<Halt>(rollout, progress(10, 10, 8)));  // 20 % is not more than 20 %
  const auto halt = verdict_of<Halt>(rollout, progress(10, 10, 7));
  ASSERT_TRUE(halt);
  EXPECT_EQ(halt->action, RolloutCommand::pause);
  EXPECT_FALSE(verdict_of<Halt>(rollout, progress(9, 9, 0)));  // not ten finished yet
}

TEST(RolloutEngine, CountsTheKindThatTheCriterionNames) {
  auto rollout = tests::rollout(1, "1.1.0");
  rollout.policy.abort_criteria = {{FailureKind::timed_out, 0, 1, RolloutCommand::abort}};
  auto figures = progress(10, 10, 9);
  EXPECT_FALSE(verdict_of<Halt>(rollout, figures));
  figures.failures_since[static_cast<std::size_t>(FailureKind::offline_after_install)] = 1;
  EXPECT_EQ(verdict_of<Halt>(rollout, figures)->action, RolloutCommand::abort);
}

TEST(RolloutEngine, AdvancesWhenEnoughFinishedWellAndTheSoakIsOver) {
  auto rollout = staged({{5, 90, 10, 30}, {25}, {100}});
  EXPECT_TRUE(verdict_of<Count>(rollout, progress(8, 8, 8)));
  const auto advance = verdict_of<Advance>(rollout, progress(10, 10, 10));
  ASSERT_TRUE(advance);
  EXPECT_EQ(advance->stage, 1);
  EXPECT_EQ(advance->percentage, 25);
  rollout.stage_entered_at = kNow - std::chrono::minutes(29);
  EXPECT_FALSE(verdict_of<Advance>(rollout, progress(10, 10, 10)));
}

TEST(RolloutEngine, DevicesThatStayedSilentHoldTheStage) {
  auto rollout = staged({{5, 90, 1, 0}, {100}});
  EXPECT_TRUE(verdict_of<Stay>(rollout, progress(10, 5, 5)));  // half of the canary is bricked
}

TEST(RolloutEngine, FinishedMinIsBoundedByTheDevicesOfTheStage) {
  const auto rollout = staged({{5, 90, 50, 0}, {100}});
  auto figures = progress(3, 3, 3);
  figures.due_devices = 0;
  EXPECT_TRUE(verdict_of<Advance>(rollout, figures));
  figures.due_devices = 1;
  EXPECT_TRUE(verdict_of<Stay>(rollout, figures));
}

TEST(RolloutEngine, AnEmptyStageSaysSoAndGoesOnButAnEmptyFleetIsWaitedFor) {
  const auto rollout = staged({{5, 90, 1, 0}, {100}});
  RolloutProgress nobody;
  nobody.due_devices = 0;
  EXPECT_EQ(verdict_of<Stay>(rollout, nobody)->why, "no device of this rollout is due yet");
  nobody.devices_to_come = 7;
  const auto advance = verdict_of<Advance>(rollout, nobody);
  ASSERT_TRUE(advance);
  EXPECT_EQ(advance->why, "no device of this stage is due");
}

TEST(RolloutEngine, PassesOverStagesThatAnAdminHasLeftBehind) {
  auto rollout = staged({{5, 90, 1, 0}, {25}, {100}});
  rollout.target.percentage = 30;
  EXPECT_EQ(verdict_of<Advance>(rollout, progress(5, 5, 5))->stage, 2);
}

TEST(RolloutEngine, LeavesAPausedRolloutAndTheLastStageAlone) {
  auto rollout = staged({{5, 90, 1, 0}, {100}});
  rollout.state = RolloutState::paused;
  EXPECT_TRUE(verdict_of<Stay>(rollout, progress(5, 5, 0)));
  rollout.state = RolloutState::running;
  rollout.stage = 1;
  rollout.target.percentage = 100;
  EXPECT_TRUE(verdict_of<Stay>(rollout, progress(5, 5, 5)));
}

TEST(RolloutSchedule, StartsAndEndsAtItsTimes) {
  auto rollout = tests::rollout(1, "1.1.0");
  rollout.state = RolloutState::scheduled;
  rollout.policy.start_at = kNow;
  rollout.policy.end_at = kNow + std::chrono::hours(1);
  rollout.policy.end_action = RolloutCommand::abort;
  EXPECT_EQ(scheduled_command(rollout, kNow - std::chrono::seconds(1)), std::nullopt);
  EXPECT_EQ(scheduled_command(rollout, kNow), RolloutCommand::start);
  rollout.state = RolloutState::paused;
  EXPECT_EQ(scheduled_command(rollout, kNow), std::nullopt);
  EXPECT_EQ(scheduled_command(rollout, kNow + std::chrono::hours(2)), RolloutCommand::abort);
  rollout.state = RolloutState::aborted;
  EXPECT_EQ(scheduled_command(rollout, kNow + std::chrono::hours(2)), std::nullopt);
}

TEST(RolloutStates, OnlyWhatHasShippedCanBeTakenBack) {
  EXPECT_EQ(next_state(RolloutState::scheduled, RolloutCommand::roll_back), std::nullopt);
  for (const auto state : {RolloutState::running, RolloutState::paused, RolloutState::finished,
                           RolloutState::aborted, RolloutState::rolled_back}) {
    EXPECT_EQ(next_state(state, RolloutCommand::roll_back), RolloutState::rolled_back);
  }
}

TEST(RolloutStates, WhatHasEndedNeverShipsAgain) {
  for (const auto state : {RolloutState::finished, RolloutState::aborted, RolloutState::rolled_back}) {
    EXPECT_EQ(next_state(state, RolloutCommand::resume), std::nullopt);
    EXPECT_EQ(next_state(state, RolloutCommand::start), std::nullopt);
    EXPECT_EQ(next_state(state, RolloutCommand::pause), std::nullopt);
  }
}

TEST(IsoTime, TakesOffsetsAndRefusesTimesOfNoPlace) {
  EXPECT_EQ(parse_iso_time("2026-11-24T03:45:12+01:00"), parse_iso_time("2026-11-24T02:45:12Z"));
  EXPECT_EQ(to_iso(parse_iso_time("2026-11-24T03:45:12.5Z").value()), "2026-11-24T03:45:12.500000+00:00");
  EXPECT_FALSE(parse_iso_time("2026-11-24T03:45:12"));
  EXPECT_FALSE(parse_iso_time("2026-11-24"));
  EXPECT_FALSE(parse_iso_time("2026-02-29T00:00:00Z"));
  EXPECT_FALSE(parse_iso_time("2026-11-24T03:45:12Zjunk"));
}

}  // namespace
}  // namespace ota::fleet
