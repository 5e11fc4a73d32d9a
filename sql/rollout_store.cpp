#include "sql/rollout_store.hpp"

#include <algorithm>

#include "fleet/strict_json.hpp"
#include "sql/device_rows.hpp"
#include "sql/parameters.hpp"
#include "sql/pooled.hpp"
#include "sql/rollout_orders.hpp"
#include "sql/rollout_progress.hpp"

namespace ota::sql {
namespace {

using fleet::ErrorKind;
using fleet::Expected;
using fleet::RolloutRow;

constexpr Statement kCreateRollout = {"create_rollout", R"sql(
  INSERT INTO rollout_configurations (name, firmware_version, device_model, target_type, target_filter,
                                      rollout_percentage, is_active, state, allow_downgrade, salt, policy, created_by,
                                      created_at, updated_at, metadata)
  SELECT $1, $2, $3, $4, coalesce($5::jsonb, '{}'), $6::integer, s.state = 'running', s.state, $8::boolean, $9,
         $10::jsonb, $11, now(), now(), '{}'
  FROM (SELECT CASE WHEN ($10::jsonb->>'start_at')::timestamptz > now() THEN 'scheduled'
                    WHEN $7::boolean THEN 'running' ELSE 'paused' END) AS s (state)
  ON CONFLICT (name) DO NOTHING RETURNING id)sql"};

constexpr Statement kPatch = {"patch_rollout", R"sql(
  UPDATE rollout_configurations
  SET rollout_percentage = $2::integer, target_filter = coalesce($3::jsonb, target_filter),
      policy = coalesce($4::jsonb, policy),
      stage = $5::integer, stage_devices = NULL
  WHERE id = $1::bigint)sql"};

#define OTA_SQL_ROLLOUT_COLUMNS \
  "id, name, firmware_version, device_model, target_type, coalesce(target_filter, '{}'), " \
  "rollout_percentage, " \
  "allow_downgrade, salt, state, policy, stage, " OTA_SQL_ISO("stage_entered_at") ", halted, "               \
  OTA_SQL_ISO("acknowledged_at") ", rolls_back, " OTA_SQL_ISO("created_at") ", " OTA_SQL_ISO("updated_at")     \
  ", created_by"

constexpr Statement kListRollouts = {"list_rollouts", "SELECT " OTA_SQL_ROLLOUT_COLUMNS
                                                      " FROM rollout_configurations "
                                                      "WHERE ($1::text IS NULL OR state = $1::text) "
                                                      "AND ($2::text IS NULL OR device_model = $2::text) "
                                                      "AND id < $3::bigint "
                                                      "ORDER BY id DESC LIMIT $4::integer"};
constexpr Statement kFindRollout = {
    "find_rollout", "SELECT " OTA_SQL_ROLLOUT_COLUMNS " FROM rollout_configurations WHERE id = $1::bigint"};

// Locked in the order in which every batch locks.
constexpr Statement kLockFailed = {"lock_failed", R"sql(
  SELECT d.device_id FROM offers o JOIN devices d ON d.device_id = o.device_id
  WHERE o.rollout_id = $1::bigint AND o.failed_attempts > 0 AND NOT o.open
    AND ($2::text IS NULL OR o.device_id = $2::text)
  ORDER BY d.device_id COLLATE "C" FOR NO KEY UPDATE OF d)sql"};
constexpr Statement kForgiveFailed = {"forgive_failed", R"sql(
  UPDATE offers SET failed_attempts = 0, failure_kind = NULL, retry_at = NULL
  WHERE device_id = ANY($1::text[]) AND rollout_id = $2::bigint AND failed_attempts > 0 AND NOT open
  RETURNING device_id)sql"};

RolloutRow read_row(const pqxx::row& row) {
  RolloutRow rollout;
  rollout.id = number_of(row[0]);
  rollout.name = text_of(row[1]);
  rollout.version = text_of(row[2]);
  rollout.model = text_of(row[3]);
  rollout.target_type = text_of(row[4]);
  rollout.target_filter_json = text_of(row[5]);
  rollout.percentage = static_cast<int>(number_of(row[6]));
  rollout.allow_downgrade = flag_of(row[7]);
  rollout.salt = text_of(row[8]);
  rollout.state = fleet::parse_rollout_state(text_of(row[9])).value_or(fleet::RolloutState::paused);
  rollout.policy = read_policy(row[10]);
  rollout.stage = static_cast<int>(number_of(row[11]));
  rollout.stage_entered_at = text_of(row[12]);
  rollout.halted_json = text_of(row[13]);
  rollout.acknowledged_at = text_of(row[14]);
  rollout.rolls_back = number_of(row[15]);
  rollout.created_at = text_of(row[16]);
  rollout.updated_at = text_of(row[17]);
  rollout.created_by = text_of(row[18]);
  return rollout;
}

std::string stored(const fleet::RolloutPolicy& policy) {
  return fleet::to_json(fleet::policy_json(policy));
}

}  // namespace

Expected<std::int64_t> PgRolloutStore::create_rollout(const fleet::NewRollout& rollout) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    if (!share_release(session, work, rollout.version, rollout.model)) {
      throw Refusal(ErrorKind::invalid,
                    "firmware_version " + rollout.version + " of device_model " + rollout.model +
                        " does not exist or was withdrawn; upload it first, or another version");
    }
    log_changes_ourselves(session, work);
    const auto& stages = rollout.policy.stages;
    const auto created = session.execute(
        work, kCreateRollout, without_nul(rollout.name), rollout.version, rollout.model,
        without_nul(rollout.target_type), text_or_null(rollout.target_filter_json),
        stages.empty() ? rollout.percentage : stages.front().percentage, rollout.is_active,
        rollout.allow_downgrade, without_nul(rollout.salt), stored(rollout.policy), text_or_null(rollout.by));
    if (created.empty()) {
      throw Refusal(ErrorKind::conflict,
                    "a rollout named '" + rollout.name + "' exists; choose another name");
    }
    const auto id = number_of(created[0][0]);
    log_rollout(session, work, "rollout_created", id, rollout.by, {});
    return id;
  });
}

Expected<void> PgRolloutStore::patch_rollout(std::int64_t id, const fleet::RolloutPatch& patch) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    log_changes_ourselves(session, work);
    const auto from = lock_rollout(session, work, id);
    if (fleet::has_ended(from.state)) {
      throw Refusal(ErrorKind::conflict, "rollout " + std::to_string(id) + " has ended; create a new one");
    }
    const auto& policy = patch.policy ? *patch.policy : from.policy;
    const int percentage = patch.percentage.value_or(from.percentage);
    const bool changed = percentage != from.percentage || patch.target_filter_json || policy != from.policy;
    if (changed) {
      // A policy that nobody touches stays to the letter, even one that only psql can have written.
      const std::string replaced = patch.policy ? stored(policy) : std::string();
      const int last_stage = std::max(static_cast<int>(policy.stages.size()) - 1, 0);
      session.execute(work, kPatch, id, percentage, text_or_null(patch.target_filter_json.value_or("")),
                      text_or_null(replaced), patch.policy ? std::min(from.stage, last_stage) : from.stage);
    }
    bool logged = false;
    if (patch.is_active) {
      const auto command = *patch.is_active ? fleet::RolloutCommand::resume : fleet::RolloutCommand::pause;
      logged = carry_out(session, work, id, {command, patch.by, {}, false, {}}).changed;
    }
    if (changed && !logged) log_rollout(session, work, "rollout_updated", id, patch.by, {});
  });
}

Expected<fleet::OrderOutcome> PgRolloutStore::order(std::int64_t id, const fleet::RolloutOrder& order) {
  return in_transaction(
      pool_, [&](Session& session, pqxx::work& work) { return carry_out(session, work, id, order); });
}

Expected<std::vector<RolloutRow>> PgRolloutStore::list_rollouts(const fleet::RolloutQuery& query) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const std::string state = query.state ? std::string(to_string(*query.state)) : std::string();
    std::vector<RolloutRow> rollouts;
    for (const auto& row :
         session.execute(work, kListRollouts, text_or_null(state), text_or_null(query.model),
                         before_or_newest(query.before_id), query.count_max)) {
      rollouts.push_back(read_row(row));
    }
    return rollouts;
  });
}

Expected<RolloutRow> PgRolloutStore::find_rollout(std::int64_t id) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const auto rows = session.execute(work, kFindRollout, id);
    if (rows.empty()) throw Refusal(ErrorKind::not_found, "no rollout with id " + std::to_string(id));
    return read_row(rows[0]);
  });
}

Expected<fleet::RolloutStanding> PgRolloutStore::standing(std::int64_t id) {
  return in_transaction(pool_,
                        [&](Session& session, pqxx::work& work) { return read_standing(session, work, id); });
}

Expected<std::vector<std::string>> PgRolloutStore::retry(std::int64_t id, const std::string& device_id,
                                                         const std::string& by) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    ArrayLiteral ids;
    for (const auto& row : session.execute(work, kLockFailed, id, text_or_null(device_id)))
      ids.add(text_of(row[0]));
    log_changes_ourselves(session, work);
    (void)lock_rollout(session, work, id);
    std::vector<std::string> released;
    for (const auto& row : session.execute(work, kForgiveFailed, ids.str(), id))
      released.push_back(text_of(row[0]));
    std::sort(released.begin(), released.end());
    if (!released.empty()) {
      log_rollout(
          session, work, "rollout_updated", id, by,
          "retry of " + (device_id.empty() ? std::to_string(released.size()) + " devices" : device_id));
    }
    return released;
  });
}

}  // namespace ota::sql
