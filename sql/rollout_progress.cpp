#include "sql/rollout_progress.hpp"

#include <algorithm>

#include "sql/device_rows.hpp"
#include "sql/parameters.hpp"

namespace ota::sql {
namespace {

using fleet::FailureKind;

// What a person withdrew is in none of the figures. Rows from before failure_kind count by their status.
// Rollout by rollout, so that the cost is that of their own attempts and never of the whole history: a plain
// join may be planned as a scan of all of it.
constexpr Statement kProgress = {"rollout_progress", R"sql(
  SELECT r.id, r.stage_devices, a.status, a.kind, a.all_time, a.since, a.last_hour
  FROM rollout_configurations r
  LEFT JOIN LATERAL (
    SELECT status, coalesce(failure_kind, status) AS kind, count(*) AS all_time,
           count(*) FILTER (WHERE completed_at > coalesce(r.acknowledged_at, '-infinity')) AS since,
           count(*) FILTER (WHERE completed_at > now() - interval '1 hour') AS last_hour
    FROM device_update_status WHERE rollout_id = r.id AND failure_kind IS DISTINCT FROM 'withdrawn'
    GROUP BY 1, 2) a ON true
  WHERE r.id = ANY($1::bigint[]))sql"};

constexpr Statement kOffers = {"rollout_offers", R"sql(
  SELECT count(*) FILTER (WHERE open AND NOT taken) FROM offers WHERE rollout_id = $1::bigint)sql"};

constexpr Statement kHeld = {"rollout_held", R"sql(
  SELECT failure_kind, failed_attempts, count(*) FROM offers
  WHERE rollout_id = $1::bigint AND NOT open AND failed_attempts > 0 GROUP BY 1, 2)sql"};

constexpr Statement kPolicy = {"rollout_policy",
                               "SELECT policy FROM rollout_configurations WHERE id = $1::bigint"};

void add_figures(const pqxx::row& row, fleet::RolloutProgress& progress) {
  const auto status = fleet::parse_status(text_of(row[2]));
  if (!status) return;
  progress.started += number_of(row[4]);
  if (!is_final(*status)) return;
  progress.finished += number_of(row[4]);
  progress.finished_since += number_of(row[5]);
  if (*status == fleet::Status::success) {
    progress.succeeded += number_of(row[4]);
    return;
  }
  const auto kind =
      static_cast<std::size_t>(fleet::parse_failure_kind(text_of(row[3])).value_or(FailureKind::failed));
  if (kind < progress.failures_since.size()) progress.failures_since[kind] += number_of(row[5]);
}

pqxx::result figures_of(Session& session, pqxx::transaction_base& work,
                        const std::vector<std::int64_t>& rollouts) {
  ArrayLiteral ids;
  for (const auto id : rollouts) ids.add(id);
  return session.execute(work, kProgress, ids.str());
}

std::map<std::int64_t, fleet::RolloutProgress> progress_of(const pqxx::result& rows) {
  std::map<std::int64_t, fleet::RolloutProgress> progress;
  std::map<std::int64_t, std::int64_t> stage_devices;
  for (const auto& row : rows) {
    add_figures(row, progress[number_of(row[0])]);
    if (!row[1].is_null()) stage_devices[number_of(row[0])] = number_of(row[1]);
  }
  for (const auto& [id, devices] : stage_devices) {
    progress[id].due_devices = std::max<std::int64_t>(devices - progress[id].started, 0);
  }
  return progress;
}

std::int64_t count_held(Session& session, pqxx::transaction_base& work, std::int64_t rollout_id,
                        const fleet::RolloutPolicy& policy) {
  std::int64_t held = 0;
  for (const auto& row : session.execute(work, kHeld, rollout_id)) {
    const auto kind =
        static_cast<std::size_t>(fleet::parse_failure_kind(text_of(row[0])).value_or(FailureKind::failed));
    if (kind < policy.retries.size() && number_of(row[1]) > policy.retries[kind]) held += number_of(row[2]);
  }
  return held;
}

}  // namespace

std::map<std::int64_t, fleet::RolloutProgress> read_progress(Session& session, pqxx::transaction_base& work,
                                                             const std::vector<std::int64_t>& rollouts) {
  return progress_of(figures_of(session, work, rollouts));
}

fleet::RolloutStanding read_standing(Session& session, pqxx::transaction_base& work,
                                     std::int64_t rollout_id) {
  const auto policies = session.execute(work, kPolicy, rollout_id);
  if (policies.empty()) {
    throw Refusal(fleet::ErrorKind::not_found, "no rollout with id " + std::to_string(rollout_id));
  }
  fleet::RolloutStanding standing;
  const auto rows = figures_of(session, work, {rollout_id});
  standing.progress = progress_of(rows)[rollout_id];
  for (const auto& row : rows) {
    if (row[2].is_null()) continue;
    standing.by_status[text_of(row[2])] += number_of(row[4]);
    standing.finished_last_hour += number_of(row[6]);
  }
  standing.offers_standing = number_of(session.execute(work, kOffers, rollout_id)[0][0]);
  standing.devices_held = count_held(session, work, rollout_id, read_policy(policies[0][0]));
  return standing;
}

}  // namespace ota::sql
