#include "sql/rollout_orders.hpp"

#include <vector>

#include "fleet/strict_json.hpp"
#include "sql/device_rows.hpp"
#include "sql/parameters.hpp"

namespace ota::sql {
namespace {

using fleet::ErrorKind;
using fleet::OrderOutcome;
using fleet::RolloutCommand;
using fleet::RolloutState;

constexpr Statement kLogged = {"logged", "SELECT set_config('ota.logged', '1', true)"};

constexpr Statement kLock = {"lock_rollout", R"sql(
  SELECT name, firmware_version, device_model, state, rollout_percentage, stage, policy,
         halted IS NOT NULL, coalesce(halted->>'why', 'no reason is stored'), rolls_back
  FROM rollout_configurations WHERE id = $1::bigint FOR NO KEY UPDATE)sql"};

constexpr Statement kEvent = {"rollout_event", R"sql(
  INSERT INTO ota_events (event_type, firmware_version, rollout_id, event_data, created_by)
  SELECT $1, firmware_version, id,
         jsonb_strip_nulls(jsonb_build_object(
             'name', name, 'device_model', device_model, 'target_type', target_type,
             'rollout_percentage', rollout_percentage, 'is_active', is_active, 'state', state,
             'why', $4::text, 'halted', $5::jsonb)), $3
  FROM rollout_configurations WHERE id = $2::bigint)sql"};

constexpr Statement kSetState = {"set_rollout_state", R"sql(
  UPDATE rollout_configurations
  SET state = $2, halted = coalesce($3::jsonb, CASE WHEN $4::boolean THEN NULL ELSE halted END),
      acknowledged_at = CASE WHEN $4::boolean THEN now() ELSE acknowledged_at END,
      stage_entered_at = CASE WHEN $5::boolean THEN now() ELSE stage_entered_at END
  WHERE id = $1::bigint)sql"};

// Devices that have not taken it yet count too: one may be about to. `taken` tells how many must really go
// back.
constexpr Statement kOrigins = {"rollback_origins", R"sql(
  SELECT origin_version, count(*) FILTER (WHERE taken)
  FROM offers WHERE rollout_id = $1::bigint AND origin_version NOT IN ('', $2)
  GROUP BY origin_version ORDER BY origin_version)sql"};

// An origin whose manifest has no higher sequence than the one its devices have taken: they would refuse it.
constexpr Statement kOlderManifest = {"older_manifest", R"sql(
  SELECT f.version, coalesce(f.manifest_sequence, 0), taken.manifest_sequence
  FROM firmware_releases taken
  JOIN firmware_releases f ON f.device_model = taken.device_model AND f.withdrawn_at IS NULL
  WHERE taken.device_model = $2 AND taken.version = $3 AND taken.manifest_sequence IS NOT NULL
    AND coalesce(f.manifest_sequence, 0) <= taken.manifest_sequence
    AND f.version IN (SELECT origin_version FROM offers WHERE rollout_id = $1::bigint AND origin_version NOT IN ('', $3))
  ORDER BY f.id LIMIT 1)sql"};

constexpr Statement kShareRelease = {"share_release",
                                     "SELECT FROM firmware_releases WHERE version = $1 AND device_model = "
                                     "$2 AND withdrawn_at IS NULL FOR SHARE"};

constexpr Statement kAddRollback = {"add_rollback", R"sql(
  INSERT INTO rollout_configurations (name, firmware_version, device_model, target_type, target_filter,
                                      rollout_percentage, is_active, state, allow_downgrade, salt, policy, rolls_back,
                                      created_by, created_at, updated_at, metadata)
  VALUES ($1, $2, $3, 'all', '{}', 100, true, 'running', true, '', $4::jsonb, $5::bigint, $6, now(), now(), '{}')
  ON CONFLICT (name) DO NOTHING RETURNING id)sql"};

constexpr Statement kRollbacksOf = {
    "rollbacks_of", "SELECT id FROM rollout_configurations WHERE rolls_back = $1::bigint ORDER BY id"};

std::string name_of(std::int64_t id, const LockedRollout& rollout) {
  return "rollout " + std::to_string(id) + " '" + rollout.name + "'";
}

// What of the rollout's policy fits its way back too.
fleet::RolloutPolicy policy_back(const fleet::RolloutPolicy& policy) {
  fleet::RolloutPolicy back;
  back.rate = policy.rate;
  back.windows = policy.windows;
  back.retries = policy.retries;
  back.retry_pause_minutes = policy.retry_pause_minutes;
  back.attempt_minutes_max = policy.attempt_minutes_max;
  back.confirm_minutes = policy.confirm_minutes;
  return back;
}

std::int64_t add_rollback(Session& session, pqxx::work& work, std::int64_t id, const LockedRollout& rollout,
                          const std::string& version, const std::string& by) {
  const auto policy = fleet::to_json(fleet::policy_json(policy_back(rollout.policy)));
  const std::string name = rollout.name + " rollback to " + version;
  for (int number = 1; number < 1000; ++number) {
    const auto numbered = number == 1 ? name : name + " (" + std::to_string(number) + ")";
    const auto added =
        session.execute(work, kAddRollback, numbered, version, rollout.model, policy, id, text_or_null(by));
    if (added.empty()) continue;
    const auto made = number_of(added[0][0]);
    log_rollout(session, work, "rollout_created", made, by, "takes back " + name_of(id, rollout));
    return made;
  }
  throw Refusal(ErrorKind::conflict, "no free name like '" + name + "'");
}

// Where manifests have rising sequences, the way back needs a newer manifest for the old image.
void refuse_older_manifest(Session& session, pqxx::work& work, std::int64_t id,
                           const LockedRollout& rollout) {
  const auto rows = session.execute(work, kOlderManifest, id, rollout.model, rollout.version);
  if (rows.empty()) return;
  const auto version = text_of(rows[0][0]);
  throw Refusal(ErrorKind::conflict,
                "the manifest of " + version + " has sequence " + text_of(rows[0][1]) + ", and devices on " +
                    rollout.version + " take none up to " + text_of(rows[0][2]) +
                    "; sign a newer one by otactl sign IMAGE --model " + rollout.model + " --version " +
                    version + " --sequence " + std::to_string(number_of(rows[0][2]) + 1) +
                    " … and POST it to /api/admin/firmware/" + version +
                    "/manifest?device_model=" + rollout.model);
}

// Where the devices of a rollout came from, and whether that release is there to take them back.
struct Origin {
  std::string version;
  std::int64_t devices = 0;  ///< that must really go back
  bool has_release = false;
};

std::vector<Origin> share_origins(Session& session, pqxx::work& work, std::int64_t id,
                                  const LockedRollout& rollout) {
  refuse_older_manifest(session, work, id, rollout);
  std::vector<Origin> origins;
  for (const auto& row : session.execute(work, kOrigins, id, rollout.version)) {
    origins.push_back({text_of(row[0]), number_of(row[1]), false});
    origins.back().has_release = share_release(session, work, origins.back().version, rollout.model);
  }
  return origins;
}

void add_rollbacks(Session& session, pqxx::work& work, std::int64_t id, const LockedRollout& rollout,
                   const std::string& by, const std::vector<Origin>& origins, OrderOutcome& outcome) {
  for (const auto& origin : origins) {
    if (origin.has_release) {
      outcome.rollbacks.push_back(add_rollback(session, work, id, rollout, origin.version, by));
    } else if (origin.devices > 0) {
      outcome.no_way[origin.version] = origin.devices;
    }
  }
}

RolloutState state_after(std::int64_t id, const LockedRollout& rollout, const fleet::RolloutOrder& order) {
  const auto next = fleet::next_state(rollout.state, order.command);
  if (!next) {
    throw Refusal(ErrorKind::conflict, name_of(id, rollout) + " is " + std::string(to_string(rollout.state)) +
                                           ": it cannot " + std::string(to_string(order.command)));
  }
  if (order.command == RolloutCommand::roll_back && rollout.rolls_back != 0) {
    throw Refusal(ErrorKind::conflict, name_of(id, rollout) +
                                           " takes another rollout back and cannot be rolled back "
                                           "itself; start a new rollout instead");
  }
  const bool goes_on = order.command == RolloutCommand::resume && *next != rollout.state;
  if (goes_on && rollout.is_halted && !order.acknowledge) {
    throw Refusal(ErrorKind::conflict, name_of(id, rollout) + " was halted: " + rollout.halted_why +
                                           "; resume it with \"acknowledge\": true to go on from here");
  }
  return *next;
}

}  // namespace

LockedRollout lock_rollout(Session& session, pqxx::work& work, std::int64_t id) {
  const auto rows = session.execute(work, kLock, id);
  if (rows.empty()) throw Refusal(ErrorKind::not_found, "no rollout with id " + std::to_string(id));
  const auto& row = rows[0];
  LockedRollout rollout;
  rollout.name = text_of(row[0]);
  rollout.version = text_of(row[1]);
  rollout.model = text_of(row[2]);
  rollout.state = fleet::parse_rollout_state(text_of(row[3])).value_or(RolloutState::paused);
  rollout.percentage = static_cast<int>(number_of(row[4]));
  rollout.stage = static_cast<int>(number_of(row[5]));
  rollout.policy = read_policy(row[6]);
  rollout.is_halted = flag_of(row[7]);
  rollout.halted_why = text_of(row[8]);
  rollout.rolls_back = number_of(row[9]);
  return rollout;
}

bool share_release(Session& session, pqxx::work& work, const std::string& version, const std::string& model) {
  return !session.execute(work, kShareRelease, without_nul(version), without_nul(model)).empty();
}

void log_changes_ourselves(Session& session, pqxx::work& work) {
  session.execute(work, kLogged);
}

void log_rollout(Session& session, pqxx::work& work, const char* event_type, std::int64_t id,
                 const std::string& by, const std::string& why, const std::string& halted_json) {
  session.execute(work, kEvent, event_type, id, text_or_null(by), text_or_null(why),
                  text_or_null(halted_json));
}

OrderOutcome carry_out(Session& session, pqxx::work& work, std::int64_t id,
                       const fleet::RolloutOrder& order) {
  log_changes_ourselves(session, work);
  const auto rollout = lock_rollout(session, work, id);
  OrderOutcome outcome;
  outcome.state = state_after(id, rollout, order);
  const bool acknowledges = order.command == RolloutCommand::resume && order.acknowledge;
  outcome.changed = outcome.state != rollout.state || (acknowledges && rollout.is_halted);
  const bool rolls_back = order.command == RolloutCommand::roll_back;
  if (!outcome.changed) {
    if (rolls_back) {
      for (const auto& row : session.execute(work, kRollbacksOf, id))
        outcome.rollbacks.push_back(number_of(row[0]));
    }
    return outcome;
  }
  // Releases are locked before the model's push_requests, which a trigger raises at each change: whoever
  // withdraws a release does it in that order too.
  const auto origins = rolls_back ? share_origins(session, work, id, rollout) : std::vector<Origin>{};
  // Resumed before its start_at, a scheduled rollout starts as well.
  const bool starts = rollout.state == RolloutState::scheduled && outcome.state == RolloutState::running;
  session.execute(work, kSetState, id, std::string(to_string(outcome.state)), text_or_null(order.halted_json),
                  acknowledges, starts);
  log_rollout(session, work, rolls_back ? "rollback_initiated" : "rollout_updated", id, order.by, order.why,
              order.halted_json);
  add_rollbacks(session, work, id, rollout, order.by, origins, outcome);
  return outcome;
}

}  // namespace ota::sql
