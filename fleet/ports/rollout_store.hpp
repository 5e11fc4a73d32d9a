#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fleet/expected.hpp"
#include "fleet/rollout_engine.hpp"
#include "fleet/rollout_policy.hpp"
#include "fleet/rollout_states.hpp"

namespace ota::fleet {

struct NewRollout {
  std::string name;
  std::string version;
  std::string model;
  std::string target_type;         ///< all | canary | specific | group
  std::string target_filter_json;  ///< a JSON object; empty: none
  int percentage = 100;            ///< of the first stage, where there are stages
  bool is_active = true;           ///< false: begins paused; with a start_at it begins scheduled either way
  bool allow_downgrade = false;
  std::string salt;
  RolloutPolicy policy;
  std::string by;
};

/// What an admin changes of a rollout that has not ended; what is not given stays.
struct RolloutPatch {
  std::optional<int> percentage;
  std::optional<bool> is_active;                  ///< false pauses, true resumes
  std::optional<std::string> target_filter_json;  ///< replaces the filter
  std::optional<RolloutPolicy> policy;  ///< replaces the policy; stages may not be fewer than passed
  std::string by;
};

/// Who asks for a change of state, and why, for the audit log.
struct RolloutOrder {
  RolloutCommand command = RolloutCommand::pause;
  std::string by;
  std::string why;           ///< empty: no reason given
  bool acknowledge = false;  ///< with resume: failures so far no longer count
  std::string halted_json;   ///< with a halt by an abort criterion: which, and by which devices; empty: none
};

/// What came of an order. A rollback makes one rollout per version its devices came from.
struct OrderOutcome {
  RolloutState state = RolloutState::running;
  bool changed = false;
  std::vector<std::int64_t> rollbacks;         ///< ids of the rollouts that take the devices back
  std::map<std::string, std::int64_t> no_way;  ///< origin version without a release → devices that must stay
};

/// A rollout as admins see it.
struct RolloutRow {
  std::int64_t id = 0;
  std::string name;
  std::string version;
  std::string model;
  std::string target_type;
  std::string target_filter_json;
  int percentage = 0;
  bool allow_downgrade = false;
  std::string salt;
  RolloutState state = RolloutState::running;
  RolloutPolicy policy;
  int stage = 0;
  std::string stage_entered_at;  ///< ISO 8601 with offset, as the other times; empty for NULL
  std::string halted_json;       ///< empty: not halted
  std::string acknowledged_at;
  std::int64_t rolls_back = 0;  ///< 0: none
  std::string created_at;
  std::string updated_at;
  std::string created_by;
};

/// How far a rollout is.
struct RolloutStanding {
  RolloutProgress progress;
  std::map<std::string, std::int64_t> by_status;  ///< attempts by status
  std::int64_t offers_standing = 0;               ///< offered and not taken yet
  std::int64_t devices_held = 0;                  ///< used up their retries
  std::int64_t finished_last_hour = 0;
};

struct RolloutQuery {
  std::optional<RolloutState> state;
  std::string model;           ///< empty: all
  std::int64_t before_id = 0;  ///< only lower ids (the page before ended there); 0: from the newest
  int count_max = 50;
};

/// Rollouts, for admins. Thread safe; `unavailable` when the database is away or no connection came free in
/// time.
class RolloutStore {
 public:
  virtual ~RolloutStore() = default;
  /// The new id. `invalid` when no such release exists for the model, `conflict` when the name is taken.
  [[nodiscard]] virtual Expected<std::int64_t> create_rollout(const NewRollout& rollout) = 0;
  /// `not_found` for an unknown id, `conflict` for an ended one.
  [[nodiscard]] virtual Expected<void> patch_rollout(std::int64_t id, const RolloutPatch& patch) = 0;
  /// `not_found` for an unknown id, `conflict` where its state forbids the command, or where `resume` of a
  /// halted rollout does not acknowledge. Repeating a command changes nothing.
  [[nodiscard]] virtual Expected<OrderOutcome> order(std::int64_t id, const RolloutOrder& order) = 0;
  /// Newest first.
  [[nodiscard]] virtual Expected<std::vector<RolloutRow>> list_rollouts(const RolloutQuery& query) = 0;
  [[nodiscard]] virtual Expected<RolloutRow> find_rollout(std::int64_t id) = 0;
  [[nodiscard]] virtual Expected<RolloutStanding> standing(std::int64_t id) = 0;
  /// Lets devices that failed in the rollout try again (empty `device_id`: all of them); answers their ids.
  [[nodiscard]] virtual Expected<std::vector<std::string>> retry(std::int64_t id,
                                                                 const std::string& device_id,
                                                                 const std::string& by) = 0;
};

}  // namespace ota::fleet
