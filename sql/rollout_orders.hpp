#pragma once

#include <cstdint>
#include <string>

#include "fleet/ports/rollout_store.hpp"
#include "sql/session.hpp"

namespace ota::sql {

/// What a change of a rollout needs to know of it.
struct LockedRollout {
  std::string name;
  std::string version;
  std::string model;
  fleet::RolloutState state = fleet::RolloutState::running;
  int percentage = 0;
  int stage = 0;
  fleet::RolloutPolicy policy;
  bool is_halted = false;
  std::string halted_why;  ///< in words, where it is halted
  std::int64_t rolls_back = 0;
};

/// The one way in which the service changes rollouts: locked, and logged with who and why. All inside the
/// caller's transaction; internal to sql/. Refusals: `not_found`.
[[nodiscard]] LockedRollout lock_rollout(Session& session, pqxx::work& work, std::int64_t id);

/// Whether the release exists and is not withdrawn; if so, it stays until the end of the transaction.
[[nodiscard]] bool share_release(Session& session, pqxx::work& work, const std::string& version,
                                 const std::string& model);

/// Tells the trigger that logs the changes of others (rollout_log) that this transaction logs its own.
void log_changes_ourselves(Session& session, pqxx::work& work);

/// Adds an event with the rollout's present figures. Empty texts: none.
void log_rollout(Session& session, pqxx::work& work, const char* event_type, std::int64_t id,
                 const std::string& by, const std::string& why, const std::string& halted_json = {});

/// As fleet::RolloutStore::order. Refusals: `not_found`, `conflict`.
[[nodiscard]] fleet::OrderOutcome carry_out(Session& session, pqxx::work& work, std::int64_t id,
                                            const fleet::RolloutOrder& order);

}  // namespace ota::sql
