#include "sql/admin_store.hpp"
#include "sql/device_rows.hpp"
#include "sql/parameters.hpp"
#include "sql/pooled.hpp"

namespace ota::sql {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

constexpr Statement kReleaseExists = {"release_exists",
                                      "SELECT FROM firmware_releases WHERE version = $1 AND device_model = "
                                      "$2 AND withdrawn_at IS NULL FOR SHARE"};

constexpr Statement kCreateRollout = {"create_rollout", R"sql(
  INSERT INTO rollout_configurations (name, firmware_version, device_model, target_type, target_filter,
                                      rollout_percentage, is_active, state, allow_downgrade, salt, created_by,
                                      created_at, updated_at, metadata)
  VALUES ($1, $2, $3, $4, coalesce($5::jsonb, '{}'), $6::integer, $7::boolean,
          CASE WHEN $7::boolean THEN 'running' ELSE 'paused' END, $8::boolean, $9, $10, now(), now(), '{}')
  ON CONFLICT (name) DO NOTHING RETURNING id)sql"};

constexpr Statement kLockRollout = {
    "lock_rollout",
    "SELECT state, rollout_percentage, firmware_version FROM rollout_configurations WHERE id = $1::bigint "
    "FOR NO KEY UPDATE"};

constexpr Statement kUpdateRollout = {
    "update_rollout",
    "UPDATE rollout_configurations SET state = $2, rollout_percentage = $3::integer WHERE id = $1::bigint"};

constexpr Statement kRolloutEvent = {"rollout_event", R"sql(
  INSERT INTO ota_events (event_type, firmware_version, rollout_id, event_data, created_by)
  SELECT $1, firmware_version, id,
         jsonb_build_object('name', name, 'device_model', device_model, 'target_type', target_type,
                            'rollout_percentage', rollout_percentage, 'is_active', is_active, 'state', state), $3
  FROM rollout_configurations WHERE id = $2::bigint)sql"};

struct Standing {
  std::string state;
  int percentage = 0;
};

Standing lock_rollout(Session& session, pqxx::work& work, std::int64_t id) {
  const auto rows = session.execute(work, kLockRollout, id);
  if (rows.empty()) throw Refusal(ErrorKind::not_found, "no rollout with id " + std::to_string(id));
  return {text_of(rows[0][0]), static_cast<int>(number_of(rows[0][1]))};
}

// Writes and logs what differs; nothing happens when nothing does.
void change_rollout(Session& session, pqxx::work& work, std::int64_t id, const Standing& from,
                    const Standing& to, const std::string& by) {
  if (from.state == to.state && from.percentage == to.percentage) return;
  session.execute(work, kUpdateRollout, id, to.state, to.percentage);
  session.execute(work, kRolloutEvent, "rollout_updated", id, text_or_null(by));
}

}  // namespace

Expected<std::int64_t> PgRolloutStore::create_rollout(const fleet::NewRollout& rollout) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    if (session.execute(work, kReleaseExists, without_nul(rollout.version), without_nul(rollout.model))
            .empty()) {
      throw Refusal(ErrorKind::invalid, "firmware_version: there is no release " + rollout.version + " for " +
                                            rollout.model + "; upload it first");
    }
    const auto created = session.execute(
        work, kCreateRollout, without_nul(rollout.name), rollout.version, rollout.model,
        without_nul(rollout.target_type), text_or_null(rollout.target_filter_json), rollout.percentage,
        rollout.is_active, rollout.allow_downgrade, without_nul(rollout.salt), text_or_null(rollout.by));
    if (created.empty()) {
      throw Refusal(ErrorKind::conflict,
                    "a rollout named '" + rollout.name + "' exists; choose another name");
    }
    const auto id = number_of(created[0][0]);
    session.execute(work, kRolloutEvent, "rollout_created", id, text_or_null(rollout.by));
    return id;
  });
}

Expected<void> PgRolloutStore::patch_rollout(std::int64_t id, const fleet::RolloutPatch& patch) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const auto from = lock_rollout(session, work, id);
    if (from.state == "finished") {
      throw Refusal(ErrorKind::conflict, "rollout " + std::to_string(id) + " has ended; create a new one");
    }
    Standing to = from;
    if (patch.percentage) to.percentage = *patch.percentage;
    if (patch.is_active) to.state = *patch.is_active ? "running" : "paused";
    change_rollout(session, work, id, from, to, patch.by);
  });
}

Expected<void> PgRolloutStore::deactivate_rollout(std::int64_t id, const std::string& by) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const auto from = lock_rollout(session, work, id);
    change_rollout(session, work, id, from, {"finished", from.percentage}, by);
  });
}

}  // namespace ota::sql
