#pragma once

#include <vector>

#include "fleet/ports/monitor_store.hpp"
#include "sql/device_rows.hpp"

namespace ota::sql {

/// SELECT list that read_events understands; the query has `e` for ota_events.
#define OTA_SQL_EVENT_COLUMNS                                                                              \
  "e.id, e.txid::text || ':' || e.id::text, e.event_type, e.device_id, e.firmware_version, e.rollout_id, " \
  "e.event_data, " OTA_SQL_ISO("e.created_at") ", e.created_by"

[[nodiscard]] std::vector<fleet::EventRow> read_events(const pqxx::result& rows);

}  // namespace ota::sql
