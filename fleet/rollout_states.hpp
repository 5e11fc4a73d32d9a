#pragma once

#include <optional>
#include <string_view>

namespace ota::fleet {

/// Where a rollout stands. Only `running` ships; `paused` still decides for its devices (contract section 2);
/// a scheduled one is not looked at yet, the other three never again.
enum class RolloutState { scheduled, running, paused, finished, aborted, rolled_back };

[[nodiscard]] std::optional<RolloutState> parse_rollout_state(std::string_view text);
[[nodiscard]] std::string_view to_string(RolloutState state);
[[nodiscard]] constexpr bool has_ended(RolloutState state) {
  return state >= RolloutState::finished;
}

/// What an admin, a schedule or an abort criterion asks of a rollout.
enum class RolloutCommand { start, pause, resume, finish, abort, roll_back };
[[nodiscard]] std::string_view to_string(RolloutCommand command);

/// The state after `command`; the same one where it is already so (nothing to do, not an error); nullopt
/// where the command contradicts the state. The table is in rollout_states.cpp.
[[nodiscard]] std::optional<RolloutState> next_state(RolloutState state, RolloutCommand command);

}  // namespace ota::fleet
