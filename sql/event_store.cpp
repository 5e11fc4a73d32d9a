#include "sql/event_store.hpp"

#include "sql/event_rows.hpp"
#include "sql/parameters.hpp"
#include "sql/pooled.hpp"

namespace ota::sql {
namespace {

using fleet::Expected;

// One statement per leading filter, so that each has the index it needs.
#define OTA_SQL_LIST_EVENTS(filter)                                                                 \
  "SELECT " OTA_SQL_EVENT_COLUMNS " FROM ota_events e WHERE " filter                                \
  " AND e.id < $1::bigint AND ($3::text IS NULL OR e.event_type = $3::text) "                       \
  "AND ($4::text IS NULL OR e.device_id = $4::text) AND ($5::text IS NULL OR e.firmware_version = " \
  "$5::text) "                                                                                      \
  "AND ($6::bigint = 0 OR e.rollout_id = $6::bigint) ORDER BY e.id DESC LIMIT $2::integer"

constexpr Statement kAll = {"list_events", OTA_SQL_LIST_EVENTS("true")};
constexpr Statement kOfDevice = {"list_events_of_device", OTA_SQL_LIST_EVENTS("e.device_id = $4::text")};
constexpr Statement kOfRollout = {"list_events_of_rollout", OTA_SQL_LIST_EVENTS("e.rollout_id = $6::bigint")};
constexpr Statement kOfType = {"list_events_of_type", OTA_SQL_LIST_EVENTS("e.event_type = $3::text")};

constexpr Statement kSetFrozen = {
    "set_frozen", "UPDATE service_settings SET frozen = $1::boolean WHERE frozen <> $1::boolean"};
constexpr Statement kFrozenEvent = {"frozen_event", R"sql(
  INSERT INTO ota_events (event_type, event_data, created_by)
  VALUES ($1, jsonb_strip_nulls(jsonb_build_object('why', $2::text)), $3))sql"};

const Statement& statement_for(const fleet::EventQuery& query) {
  if (!query.device_id.empty()) return kOfDevice;
  if (query.rollout_id != 0) return kOfRollout;
  return query.type.empty() ? kAll : kOfType;
}

}  // namespace

std::vector<fleet::EventRow> read_events(const pqxx::result& rows) {
  std::vector<fleet::EventRow> events;
  for (const auto& row : rows) {
    fleet::EventRow event;
    event.id = number_of(row[0]);
    event.cursor = text_of(row[1]);
    event.type = text_of(row[2]);
    event.device_id = text_of(row[3]);
    event.version = text_of(row[4]);
    event.rollout_id = number_of(row[5]);
    event.data_json = text_of(row[6]);
    event.created_at = text_of(row[7]);
    event.by = text_of(row[8]);
    events.push_back(std::move(event));
  }
  return events;
}

Expected<std::vector<fleet::EventRow>> PgEventStore::list_events(const fleet::EventQuery& query) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    return read_events(session.execute(work, statement_for(query), before_or_newest(query.before_id),
                                       query.count_max, text_or_null(query.type),
                                       text_or_null(query.device_id), text_or_null(query.version),
                                       query.rollout_id));
  });
}

Expected<bool> PgEventStore::set_frozen(bool frozen, const std::string& by, const std::string& why) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    if (session.execute(work, kSetFrozen, frozen).affected_rows() == 0) return false;
    session.execute(work, kFrozenEvent, frozen ? "updates_frozen" : "updates_unfrozen", text_or_null(why),
                    text_or_null(by));
    return true;
  });
}

}  // namespace ota::sql
