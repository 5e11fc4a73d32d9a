#include "sql/monitor_store.hpp"

#include "sql/counted.hpp"
#include "sql/device_rows.hpp"
#include "sql/event_rows.hpp"
#include "sql/parameters.hpp"
#include "sql/transaction.hpp"

namespace ota::sql {
namespace {

using fleet::Expected;

// Why txid: see migrations/0006. Below the snapshot's xmin nothing can appear any more.
constexpr Statement kNextEvents = {
    "next_events", "SELECT " OTA_SQL_EVENT_COLUMNS
                   " FROM ota_events e "
                   "WHERE (e.txid, e.id) > ((SELECT txid FROM event_cursor), (SELECT id FROM event_cursor)) "
                   "AND e.id > (SELECT id_floor FROM event_cursor) "
                   "AND e.txid < pg_snapshot_xmin(pg_current_snapshot()) "
                   "ORDER BY e.txid, e.id LIMIT $1::integer"};

// After a restore into a new cluster the cursor stands at a transaction number that is still to come.
constexpr Statement kIsRestored = {
    "is_restored", "SELECT txid >= pg_snapshot_xmax(pg_current_snapshot()) FROM event_cursor"};
constexpr Statement kRestoredEvents = {
    "restored_events",
    "SELECT " OTA_SQL_EVENT_COLUMNS
    " FROM ota_events e "
    "WHERE (e.txid, e.id) > ((SELECT txid FROM event_cursor), (SELECT id FROM event_cursor)) "
    "ORDER BY e.txid, e.id LIMIT $1::integer"};
constexpr Statement kRestartCursor = {"restart_cursor", R"sql(
  UPDATE event_cursor c
  SET txid = '0', id = 0,
      id_floor = greatest(c.id_floor, c.id, (SELECT max(e.id) FROM ota_events e WHERE e.txid >= c.txid)))sql"};

constexpr Statement kPublished = {"events_published", R"sql(
  UPDATE event_cursor SET txid = $1::text::xid8, id = $2::bigint
  WHERE (txid, id) < ($1::text::xid8, $2::bigint))sql"};

constexpr Statement kFigures = {"rollout_figures", R"sql(
  SELECT r.id, r.name, r.firmware_version, r.device_model, r.state, r.rollout_percentage, s.status, s.attempts
  FROM rollout_configurations r
  LEFT JOIN LATERAL (SELECT status, count(*) AS attempts FROM device_update_status
                     WHERE rollout_id = r.id GROUP BY status) s ON true
  WHERE r.state IN ('scheduled', 'running', 'paused') OR r.updated_at > now() - interval '1 day'
  ORDER BY r.id, s.status)sql"};

bool is_number(const std::string& text) {
  return !text.empty() && text.size() <= 20 && text.find_first_not_of("0123456789") == std::string::npos;
}

std::vector<fleet::RolloutFigures> count_figures(Session& session, pqxx::work& work) {
  std::vector<fleet::RolloutFigures> rollouts;
  for (const auto& row : session.execute(work, kFigures)) {
    const auto id = number_of(row[0]);
    if (rollouts.empty() || rollouts.back().id != id) {
      rollouts.push_back({id,
                          text_of(row[1]),
                          text_of(row[2]),
                          text_of(row[3]),
                          text_of(row[4]),
                          static_cast<int>(number_of(row[5])),
                          {}});
    }
    if (!row[6].is_null()) rollouts.back().by_status[text_of(row[6])] = number_of(row[7]);
  }
  return rollouts;
}

}  // namespace

struct PgMonitorStore::State {
  explicit State(const ConnectOptions& options) : session(options) {}
  Session session;
  Counted<std::vector<fleet::RolloutFigures>> figures;
};

PgMonitorStore::PgMonitorStore(const ConnectOptions& options) : state_(std::make_unique<State>(options)) {}
PgMonitorStore::~PgMonitorStore() = default;

Expected<std::vector<fleet::EventRow>> PgMonitorStore::next_events(int count_max) {
  return in_transaction(state_->session, [&](Session& session, pqxx::work& work) {
    auto events = read_events(session.execute(work, kNextEvents, count_max));
    const auto restored = [&] {
      const auto rows = session.execute(work, kIsRestored);
      return !rows.empty() && flag_of(rows[0][0]);
    };
    if (events.empty() && restored()) {
      events = read_events(session.execute(work, kRestoredEvents, count_max));
      if (events.empty()) session.execute(work, kRestartCursor);
    }
    return events;
  });
}

Expected<void> PgMonitorStore::events_published(const std::string& cursor) {
  const auto colon = cursor.find(':');
  const std::string txid = cursor.substr(0, colon);
  const std::string id = colon == std::string::npos ? std::string() : cursor.substr(colon + 1);
  if (!is_number(txid) || !is_number(id)) {
    return fleet::fail(fleet::ErrorKind::invalid, "not a cursor of an event: it should look like 123:45");
  }
  return in_transaction(state_->session, [&](Session& session, pqxx::work& work) {
    session.execute(work, kPublished, txid, id);
  });
}

Expected<std::vector<fleet::RolloutFigures>> PgMonitorStore::rollout_figures() {
  return in_transaction(state_->session, [&](Session& session, pqxx::work& work) {
    return state_->figures.get(session, work, [&] { return count_figures(session, work); });
  });
}

}  // namespace ota::sql
