#include "fleet/rollout_states.hpp"

#include <array>

namespace ota::fleet {
namespace {

constexpr std::array<std::string_view, 6> kStates = {"scheduled", "running", "paused",
                                                     "finished",  "aborted", "rolled_back"};
constexpr std::array<std::string_view, 6> kCommands = {"start",  "pause", "resume",
                                                       "finish", "abort", "rollback"};

constexpr auto RUN = RolloutState::running;
constexpr auto PAU = RolloutState::paused;
constexpr auto FIN = RolloutState::finished;
constexpr auto ABO = RolloutState::aborted;
constexpr auto ROL = RolloutState::rolled_back;
constexpr std::optional<RolloutState> NIL;

// Row: where the rollout stands. Column: what is asked of it. NIL: refused.
constexpr std::optional<RolloutState> kNext[6][6] = {
    // start pause resume finish abort roll_back
    {RUN, PAU, RUN, FIN, ABO, NIL},  // scheduled: nobody has taken anything yet
    {RUN, PAU, RUN, FIN, ABO, ROL},  // running
    {NIL, PAU, RUN, FIN, ABO, ROL},  // paused: only by hand it goes on
    {NIL, NIL, NIL, FIN, NIL, ROL},  // finished
    {NIL, NIL, NIL, NIL, ABO, ROL},  // aborted: what has been updated may still be taken back
    {NIL, NIL, NIL, NIL, NIL, ROL},  // rolled_back
};

}  // namespace

std::optional<RolloutState> parse_rollout_state(std::string_view text) {
  for (std::size_t i = 0; i < kStates.size(); ++i) {
    if (kStates[i] == text) return static_cast<RolloutState>(i);
  }
  return std::nullopt;
}

std::string_view to_string(RolloutState state) {
  return kStates[static_cast<std::size_t>(state)];
}

std::string_view to_string(RolloutCommand command) {
  return kCommands[static_cast<std::size_t>(command)];
}

std::optional<RolloutState> next_state(RolloutState state, RolloutCommand command) {
  return kNext[static_cast<std::size_t>(state)][static_cast<std::size_t>(command)];
}

}  // namespace ota::fleet
