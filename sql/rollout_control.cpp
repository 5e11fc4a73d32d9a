#include "sql/rollout_control.hpp"

#include "sql/counted.hpp"
#include "sql/device_rows.hpp"
#include "sql/json.hpp"
#include "sql/parameters.hpp"
#include "sql/rollout_orders.hpp"
#include "sql/rollout_progress.hpp"
#include "sql/transaction.hpp"

namespace ota::sql {
namespace {

using fleet::Expected;

constexpr Statement kRecentFailures = {"recent_failures", R"sql(
  SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
             'device_id', f.device_id, 'failure', coalesce(f.failure_kind, f.status),
             'error_message', f.error_message)) ORDER BY f.completed_at DESC), '[]')
  FROM (SELECT a.device_id, a.failure_kind, a.status, a.error_message, a.completed_at
        FROM device_update_status a JOIN rollout_configurations r ON r.id = a.rollout_id
        WHERE a.rollout_id = $1::bigint AND a.status IN ('failed', 'rolled_back')
          AND a.failure_kind IS DISTINCT FROM 'withdrawn'
          AND a.completed_at > coalesce(r.acknowledged_at, '-infinity')
        ORDER BY a.completed_at DESC LIMIT 10) f)sql"};

constexpr Statement kAdvance = {"advance_rollout", R"sql(
  UPDATE rollout_configurations
  SET stage = $3::integer, rollout_percentage = greatest(rollout_percentage, $4::integer), stage_entered_at = now(),
      stage_devices = NULL
  WHERE id = $1::bigint AND state = 'running' AND stage = $2::integer)sql"};

constexpr Statement kNoteDue = {
    "note_stage_devices",
    "UPDATE rollout_configurations SET stage_devices = $2::bigint WHERE id = $1::bigint "
    "AND stage_devices IS DISTINCT FROM $2::bigint"};

constexpr Statement kDue = {"due_devices", R"sql(
  SELECT device_id, attempt_id FROM (
    (SELECT device_id, attempt_id, due_at AS at FROM device_update_status
     WHERE due_at <= )sql" OTA_SQL_TIME("$1::bigint") R"sql( AND attempt_id IS NOT NULL
       AND status NOT IN ('success', 'failed', 'rolled_back') ORDER BY due_at LIMIT $2::integer)
    UNION ALL
    (SELECT device_id, 0, retry_at FROM offers
     WHERE retry_at <= )sql" OTA_SQL_TIME("$1::bigint") R"sql( ORDER BY retry_at LIMIT $2::integer)) due
  ORDER BY at LIMIT $2::integer)sql"};

// The row is there as soon as the model has had a release or a rollout.
constexpr Statement kRequestPush = {"request_push",
                                    "UPDATE push_requests SET requested = requested + 1 WHERE model = $1"};

constexpr Statement kPrune = {"prune_events",
                              "SELECT prune_events(" OTA_SQL_TIME("$1::bigint") ", $2::integer)"};

std::string ids_of(const std::vector<std::int64_t>& rollouts) {
  ArrayLiteral ids;
  for (const auto id : rollouts) ids.add(id);
  return ids.str();
}

}  // namespace

struct PgRolloutControl::State {
  explicit State(const ConnectOptions& options) : session(options) {}
  Session session;
  Counted<std::map<std::int64_t, fleet::RolloutProgress>> progress;
};

PgRolloutControl::PgRolloutControl(const ConnectOptions& options)
    : state_(std::make_unique<State>(options)) {}
PgRolloutControl::~PgRolloutControl() = default;

Expected<std::map<std::int64_t, fleet::RolloutProgress>> PgRolloutControl::progress(
    const std::vector<std::int64_t>& rollouts) {
  return in_transaction(state_->session, [&](Session& session, pqxx::work& work) {
    const auto count = [&] { return read_progress(session, work, rollouts); };
    return state_->progress.get(session, work, count, ids_of(rollouts));
  });
}

Expected<fleet::JsonValue> PgRolloutControl::recent_failures(std::int64_t rollout_id) {
  return in_transaction(state_->session, [&](Session& session, pqxx::work& work) {
    return parse_jsonb(session.execute(work, kRecentFailures, rollout_id)[0][0].c_str());
  });
}

Expected<fleet::OrderOutcome> PgRolloutControl::order(std::int64_t rollout_id,
                                                      const fleet::RolloutOrder& order) {
  return in_transaction(state_->session, [&](Session& session, pqxx::work& work) {
    return carry_out(session, work, rollout_id, order);
  });
}

Expected<void> PgRolloutControl::advance(const fleet::StageStep& step) {
  return in_transaction(state_->session, [&](Session& session, pqxx::work& work) {
    log_changes_ourselves(session, work);
    const auto done =
        session.execute(work, kAdvance, step.rollout_id, step.from, step.to.stage, step.to.percentage);
    if (done.affected_rows() == 0) return;
    log_rollout(session, work, "rollout_advanced", step.rollout_id, "bridge", step.to.why);
  });
}

Expected<void> PgRolloutControl::note_stage_devices(std::int64_t rollout_id, std::int64_t count) {
  return in_transaction(state_->session, [&](Session& session, pqxx::work& work) {
    session.execute(work, kNoteDue, rollout_id, count);
  });
}

Expected<std::vector<fleet::DueDevice>> PgRolloutControl::due_devices(fleet::Time now, int count_max) {
  return in_transaction(state_->session, [&](Session& session, pqxx::work& work) {
    std::vector<fleet::DueDevice> due;
    const std::int64_t at = now.time_since_epoch().count();
    for (const auto& row : session.execute(work, kDue, at, count_max)) {
      due.push_back({text_of(row[0]), number_of(row[1])});
    }
    return due;
  });
}

Expected<void> PgRolloutControl::request_push(const std::string& model) {
  return in_transaction(state_->session, [&](Session& session, pqxx::work& work) {
    session.execute(work, kRequestPush, model);
  });
}

Expected<std::int64_t> PgRolloutControl::prune_events(fleet::Time older_than, int count_max) {
  return in_transaction(state_->session, [&](Session& session, pqxx::work& work) {
    const std::int64_t at = older_than.time_since_epoch().count();
    return number_of(session.execute(work, kPrune, at, count_max)[0][0]);
  });
}

}  // namespace ota::sql
