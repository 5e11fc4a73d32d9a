#include <array>

#include "tests/sql/rollout_fixture.hpp"
#include "tests/support/refused.hpp"

namespace ota::sql_test {
namespace {

using test_support::refused;

class States : public RolloutTest {
 protected:
  std::int64_t halted(const std::string& name, RolloutCommand action = RolloutCommand::pause) {
    const auto id = create(name);
    EXPECT_TRUE(control_.order(
        id, {action, "bridge", "3 of 10 failed", false, R"({"why":"3 of 10 failed","devices":[]})"}));
    return id;
  }
};

TEST_F(States, EachPairOfStateAndCommandDoesWhatTheTableSays) {
  constexpr std::array kStates = {RolloutState::scheduled, RolloutState::running, RolloutState::paused,
                                  RolloutState::finished,  RolloutState::aborted, RolloutState::rolled_back};
  constexpr std::array kCommands = {RolloutCommand::start,  RolloutCommand::pause, RolloutCommand::resume,
                                    RolloutCommand::finish, RolloutCommand::abort, RolloutCommand::roll_back};
  const auto id = create("r");
  for (const auto state : kStates) {
    for (const auto command : kCommands) {
      const std::string from(to_string(state));
      database_.value("UPDATE rollout_configurations SET state = '" + from +
                      "' WHERE id = " + std::to_string(id));
      const auto done = order(id, command);
      const auto wanted = fleet::next_state(state, command);
      const auto what = from + " " + std::string(to_string(command));
      ASSERT_EQ(done.has_value(), wanted.has_value()) << what;
      EXPECT_EQ(row(id, "state"), to_string(wanted.value_or(state))) << what;
      if (done) {
        EXPECT_EQ(done->changed, *wanted != state) << what;
        continue;
      }
      EXPECT_EQ(done.error().kind, ErrorKind::conflict);
      EXPECT_NE(done.error().message.find(from), std::string::npos) << done.error().message;
      EXPECT_NE(done.error().message.find(to_string(command)), std::string::npos) << done.error().message;
    }
  }
}

TEST_F(States, ARollbackAskedForTwiceIsMadeOnceEvenWhenAcknowledged) {
  const auto id = halted("r", RolloutCommand::abort);
  offer("a", id, "1.0.0", true);
  const auto first = order(id, RolloutCommand::roll_back);
  ASSERT_TRUE(first) << first.error().message;
  const auto again = order(id, RolloutCommand::roll_back, true);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_FALSE(again->changed);
  EXPECT_EQ(again->rollbacks, first->rollbacks);
  EXPECT_EQ(database_.value("SELECT count(*) FROM rollout_configurations WHERE rolls_back IS NOT NULL"), "1");
}

TEST_F(States, OnlyResumingAcknowledges) {
  const auto id = halted("r");
  const auto paused = order(id, RolloutCommand::pause, true);
  ASSERT_TRUE(paused);
  EXPECT_FALSE(paused->changed);
  EXPECT_EQ(row(id, "halted->>'why'"), "3 of 10 failed");
  EXPECT_EQ(row(id, "acknowledged_at"), "");
}

TEST_F(States, APatchDoesNotResumeAHaltedRollout) {
  const auto id = halted("r");
  const auto patched = rollouts_.patch_rollout(id, {50, true, std::nullopt, std::nullopt, "ann"});
  ASSERT_FALSE(patched);
  EXPECT_EQ(patched.error().kind, ErrorKind::conflict);
  EXPECT_NE(patched.error().message.find("acknowledge"), std::string::npos) << patched.error().message;
  EXPECT_EQ(row(id, "state || rollout_percentage"), "paused100") << "nothing of it may stay";
}

TEST_F(States, APatchOfIsActiveIsPauseAndResume) {
  const auto id = create("r");
  ASSERT_TRUE(rollouts_.patch_rollout(id, {50, false, std::nullopt, std::nullopt, "ann"}));
  EXPECT_EQ(row(id, "state || rollout_percentage"), "paused50");
  EXPECT_EQ(events_of(id, "rollout_updated"), "1") << "one change, one event";
  ASSERT_TRUE(rollouts_.patch_rollout(id, {std::nullopt, true, std::nullopt, std::nullopt, "ann"}));
  EXPECT_EQ(row(id, "state"), "running");
  ASSERT_TRUE(order(id, RolloutCommand::finish));
  EXPECT_EQ(refused(rollouts_.patch_rollout(id, {1, std::nullopt, std::nullopt, std::nullopt, "ann"})).kind,
            ErrorKind::conflict);
}

TEST_F(States, FewerStagesKeepTheStageWithinThem) {
  const auto id = create("r", R"({"stages":[{"percentage":5},{"percentage":25},{"percentage":100}]})");
  ASSERT_TRUE(control_.advance({id, 0, {1, 25, ""}}));
  ASSERT_TRUE(control_.advance({id, 1, {2, 100, ""}}));
  auto policy = rollouts_.find_rollout(id)->policy;
  policy.stages.pop_back();
  ASSERT_TRUE(rollouts_.patch_rollout(id, {std::nullopt, std::nullopt, std::nullopt, policy, "ann"}));
  EXPECT_EQ(row(id, "stage"), "1");
  policy.stages.clear();
  ASSERT_TRUE(rollouts_.patch_rollout(id, {std::nullopt, std::nullopt, std::nullopt, policy, "ann"}));
  EXPECT_EQ(row(id, "stage"), "0");
}

TEST_F(States, APatchOfOneThingLeavesAPolicyOfPsqlAsItIs) {
  const auto id = create("r");
  database_.value(R"(UPDATE rollout_configurations SET policy = '{"note": "by hand", "rate": "wrong"}')");
  ASSERT_TRUE(rollouts_.patch_rollout(id, {50, std::nullopt, std::nullopt, std::nullopt, "ann"}));
  EXPECT_EQ(row(id, "policy"), R"({"note": "by hand", "rate": "wrong"})");
}

TEST_F(States, TheStageBeginsWhenAScheduledRolloutStartsNotWhenAPausedOneGoesOn) {
  const auto id = create("r", R"({"start_at":"2099-01-01T00:00:00Z"})");
  const auto entered = [&] { return row(id, "stage_entered_at > now() - interval '1 hour'"); };
  const auto age = [&] {
    database_.value("UPDATE rollout_configurations SET stage_entered_at = now() - interval '1 day'");
  };
  age();
  ASSERT_TRUE(order(id, RolloutCommand::resume)) << "early, by hand";
  EXPECT_EQ(entered(), "t");
  age();
  ASSERT_TRUE(order(id, RolloutCommand::pause));
  ASSERT_TRUE(order(id, RolloutCommand::resume));
  EXPECT_EQ(entered(), "f");
}

TEST_F(States, AStepNeverLowersThePercentageAndOnlyARunningRolloutTakesIt) {
  const auto id = create("r", R"({"stages":[{"percentage":5},{"percentage":25},{"percentage":100}]})");
  ASSERT_TRUE(rollouts_.patch_rollout(id, {60, std::nullopt, std::nullopt, std::nullopt, "ann"}));
  ASSERT_TRUE(control_.note_stage_devices(id, 7));
  EXPECT_TRUE(control_.progress({id})->at(id).due_devices.has_value());
  ASSERT_TRUE(control_.advance({id, 0, {1, 25, ""}}));
  EXPECT_EQ(row(id, "rollout_percentage || ' ' || stage"), "60 1");
  EXPECT_FALSE(control_.progress({id})->at(id).due_devices.has_value()) << "another stage, another count";
  ASSERT_TRUE(order(id, RolloutCommand::pause));
  ASSERT_TRUE(control_.advance({id, 1, {2, 100, ""}}));
  EXPECT_EQ(row(id, "rollout_percentage || ' ' || stage"), "60 1");
}

TEST_F(States, AWayBackFindsAFreeNameAndNeverGoesToAWithdrawnRelease) {
  const auto id = create("r");
  create("r rollback to 1.0.0");
  offer("a", id, "1.0.0", true);
  const auto done = order(id, RolloutCommand::roll_back);
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_EQ(done->rollbacks.size(), 1U);
  EXPECT_EQ(row(done->rollbacks[0], "name"), "r rollback to 1.0.0 (2)");
  EXPECT_EQ(row(done->rollbacks[0], "state || ' ' || rollout_percentage || ' ' || target_type"),
            "running 100 all");

  const auto other = create("other");
  offer("b", other, "1.0.0", true);
  offer("c", other, "1.0.0", false);
  offer("d", other, "", true);
  offer("e", other, "1.1.0", true);
  ASSERT_TRUE(releases_.withdraw_release("1.0.0", "esp32", "ann", "bricks"));
  const auto stays = order(other, RolloutCommand::roll_back);
  ASSERT_TRUE(stays) << stays.error().message;
  EXPECT_TRUE(stays->rollbacks.empty());
  EXPECT_EQ(stays->no_way, (std::map<std::string, std::int64_t>{{"1.0.0", 1}})) << "one has taken it";
  EXPECT_EQ(row(other, "state"), "rolled_back");
}

}  // namespace
}  // namespace ota::sql_test
