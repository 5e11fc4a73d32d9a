#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "fleet/catalog.hpp"

namespace ota::fleet {

/// What the attempts of a rollout have come to. Attempts that were withdrawn are in none of the figures.
struct RolloutProgress {
  std::int64_t started = 0;
  std::int64_t finished = 0;
  std::int64_t succeeded = 0;
  /// Of those that ended after the rollout's acknowledged_at:
  std::int64_t finished_since = 0;
  std::array<std::int64_t, kCountedFailureKinds> failures_since{};  ///< by FailureKind
  /// Devices in the present stage that are due and have not begun; nullopt while nobody has counted them.
  std::optional<std::int64_t> due_devices;
  /// Devices of all stages together that do not run the version yet; counted with due_devices.
  std::optional<std::int64_t> devices_to_come;
};

/// Nothing to do now, and why, in words for the admin.
struct Stay {
  std::string why;
};
/// The stage's devices have to be counted before more can be said.
struct Count {};
/// An abort criterion is met.
struct Halt {
  RolloutCommand action = RolloutCommand::pause;  ///< pause | abort | roll_back
  std::string why;
};
struct Advance {
  int stage = 0;
  int percentage = 0;
  std::string why;
};
using Verdict = std::variant<Stay, Count, Halt, Advance>;

/// Whether a running rollout is to be halted, or to go on to its next stage. Failures are counted over
/// finished attempts, so that a small canary trips early; success over started ones, so that silent devices
/// hold the stage. Pure.
[[nodiscard]] Verdict evaluate(const Rollout& rollout, const RolloutProgress& progress, Time now);

/// What the rollout's start_at and end_at ask for at `now`; nullopt: nothing.
[[nodiscard]] std::optional<RolloutCommand> scheduled_command(const Rollout& rollout, Time now);

/// Failures of the criterion's kind among those since acknowledged_at.
[[nodiscard]] std::int64_t failures_of(const AbortCriterion& criterion, const RolloutProgress& progress);

}  // namespace ota::fleet
