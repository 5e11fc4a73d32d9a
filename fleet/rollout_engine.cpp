#include "fleet/rollout_engine.hpp"

#include <algorithm>
#include <numeric>

namespace ota::fleet {
namespace {

std::string of(std::int64_t part, std::int64_t whole) {
  return std::to_string(part) + " of " + std::to_string(whole);
}

std::optional<Halt> find_halt(const Rollout& rollout, const RolloutProgress& progress) {
  for (const auto& criterion : rollout.policy.abort_criteria) {
    const auto failed = failures_of(criterion, progress);
    const auto finished = progress.finished_since;
    if (finished < criterion.finished_min || failed * 100 <= criterion.percent_max * finished) continue;
    const auto kind =
        criterion.failure ? to_string(*criterion.failure) : std::string_view("failed in any way");
    return Halt{criterion.action, of(failed, finished) + " finished attempts " + std::string(kind) +
                                      ", more than " + std::to_string(criterion.percent_max) + " %"};
  }
  return std::nullopt;
}

// The next stage that reaches further than the rollout does already (an admin may have raised it by hand).
const Stage* next_stage(const Rollout& rollout) {
  const auto& stages = rollout.policy.stages;
  const auto next = std::find_if(stages.begin(), stages.end(), [&](const Stage& stage) {
    return &stage - stages.data() > rollout.stage && stage.percentage > rollout.target.percentage;
  });
  return next == stages.end() ? nullptr : &*next;
}

Verdict judge_stage(const Rollout& rollout, const RolloutProgress& progress, Time now) {
  const auto* next = next_stage(rollout);
  if (next == nullptr) return Stay{"in the last stage"};
  const auto& stage = rollout.policy.stages[static_cast<std::size_t>(std::max(rollout.stage, 0))];
  const auto soaked_at = rollout.stage_entered_at + std::chrono::minutes(stage.soak_minutes);
  if (now < soaked_at) return Stay{"soaks for " + std::to_string(stage.soak_minutes) + " minutes"};

  const Advance advance{static_cast<int>(next - rollout.policy.stages.data()), next->percentage, ""};
  if (progress.finished < stage.finished_min) {
    if (!progress.due_devices) return Count{};
    const auto devices = progress.started + *progress.due_devices;
    // An empty stage is no reason to wait, but an empty fleet is none to go on: its first devices are the
    // canary.
    if (devices == 0 && progress.devices_to_come.value_or(0) == 0)
      return Stay{"no device of this rollout is due yet"};
    if (devices == 0) return Advance{advance.stage, advance.percentage, "no device of this stage is due"};
    const auto needed = std::min<std::int64_t>(stage.finished_min, devices);
    if (progress.finished < needed)
      return Stay{of(progress.finished, needed) + " needed attempts have finished"};
  }
  if (progress.succeeded * 100 < stage.success_percent_min * progress.started) {
    return Stay{of(progress.succeeded, progress.started) + " started attempts succeeded, " +
                std::to_string(stage.success_percent_min) + " % are needed"};
  }
  return Advance{advance.stage, advance.percentage,
                 of(progress.succeeded, progress.started) + " started attempts succeeded"};
}

}  // namespace

std::int64_t failures_of(const AbortCriterion& criterion, const RolloutProgress& progress) {
  const auto& failures = progress.failures_since;
  if (!criterion.failure) return std::accumulate(failures.begin(), failures.end(), std::int64_t{0});
  const auto count = failures[static_cast<std::size_t>(*criterion.failure)];
  if (*criterion.failure != FailureKind::timed_out) return count;
  return count + failures[static_cast<std::size_t>(FailureKind::offline_after_install)];
}

Verdict evaluate(const Rollout& rollout, const RolloutProgress& progress, Time now) {
  if (rollout.state != RolloutState::running) return Stay{std::string(to_string(rollout.state))};
  if (auto halt = find_halt(rollout, progress)) return std::move(*halt);
  const auto stages = static_cast<int>(rollout.policy.stages.size());
  if (rollout.stage >= stages) return Stay{"has no stages"};
  return judge_stage(rollout, progress, now);
}

std::optional<RolloutCommand> scheduled_command(const Rollout& rollout, Time now) {
  const auto& policy = rollout.policy;
  if (has_ended(rollout.state)) return std::nullopt;
  if (policy.end_at && *policy.end_at <= now) return policy.end_action;
  const bool starts = rollout.state == RolloutState::scheduled && policy.start_at && *policy.start_at <= now;
  return starts ? std::optional(RolloutCommand::start) : std::nullopt;
}

}  // namespace ota::fleet
