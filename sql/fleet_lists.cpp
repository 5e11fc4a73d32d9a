#include "sql/admin_store.hpp"
#include "sql/device_rows.hpp"
#include "sql/list_pages.hpp"
#include "sql/parameters.hpp"
#include "sql/pooled.hpp"

namespace ota::sql {
namespace {

using fleet::Expected;

// Lists are read in the order of an indexed time cut to ten seconds (why: migrations/0003) and sorted exactly
// within each cut. Of one cut 20 000 rows are looked at together, so that a list stays fast when the whole
// fleet was heard in the same moment, as after a bulk load; beyond that rate they follow in blocks, newest
// rows first. The cursor remembers its block, so what moves in or out meanwhile makes no row appear twice.
// A page is what is left of the block (part 0), then the next block of the cut (1), then later cuts (2).
// Parts of their own, since the planner takes a comparison of (cut, id) for one of the cut alone. One
// statement for each filter, so that each has its own index. $1: the count; $2 to $6: the cursor.
#define OTA_SQL_ROWS(columns, table, time) \
  "id, " columns ", " time "_cut AS cut, coalesce(" time ", " OTA_SQL_NEVER ") AS at FROM " table " WHERE "
#define OTA_SQL_REST_OF_BLOCK(columns, table, filter, time) \
  "(SELECT 0 AS part, 0::bigint AS looked_at, 0::bigint AS lowest, " OTA_SQL_ROWS(columns, table, time) \
  filter " " time "_cut = " OTA_SQL_CUT("$2::bigint") " AND id BETWEEN $6::bigint AND $5::bigint "      \
  "AND (coalesce(" time ", " OTA_SQL_NEVER "), id) < (" OTA_SQL_CUT_TIME("$2::bigint", "$3::bigint")    \
  ", $4::bigint) ORDER BY at DESC, id DESC LIMIT $1::integer)"
#define OTA_SQL_BLOCK(part, columns, table, filter, time, direction, where)                          \
  "(SELECT " part                                                                                    \
  ", count(*) OVER cuts, last_value(id) OVER cuts, block.* FROM "                                    \
  "(SELECT " OTA_SQL_ROWS(columns, table, time) filter " " where " ORDER BY " time "_cut " direction \
                                                       ", id DESC LIMIT 20000) AS block "            \
                                                       "WINDOW cuts AS (ORDER BY cut " direction     \
                                                       ") ORDER BY cut " direction                   \
                                                       ", at DESC, id DESC LIMIT $1::integer)"
#define OTA_SQL_PAGE(columns, shown, table, filter, time, direction) \
  "SELECT " shown ", " OTA_SQL_CUT_NUMBER("cut") ", " OTA_SQL_BEYOND_CUT("at", "cut") ", id, "    \
  "CASE part WHEN 0 THEN $5::bigint WHEN 1 THEN greatest($6::bigint, -9223372036854775807) - 1 "  \
  "ELSE 9223372036854775807 END, "                                                                \
  "CASE WHEN part = 0 THEN $6::bigint WHEN looked_at = 20000 THEN lowest "                        \
  "ELSE '-9223372036854775808'::bigint END FROM (" OTA_SQL_REST_OF_BLOCK(columns, table, filter, time) \
  " UNION ALL " OTA_SQL_BLOCK("1", columns, table, filter, time, direction,                       \
                              time "_cut = " OTA_SQL_CUT("$2::bigint") " AND id < $6::bigint")    \
  " UNION ALL " OTA_SQL_BLOCK("2", columns, table, filter, time, direction,                       \
                              time "_cut < " OTA_SQL_CUT("$2::bigint"))                           \
  ") AS page ORDER BY part, cut DESC, at DESC, id DESC LIMIT $1::integer"

#define OTA_SQL_LIST_DEVICES(filter, direction)                                                          \
  OTA_SQL_PAGE("device_id, device_model, current_firmware_version, created_at",                          \
               "device_id, device_model, current_firmware_version, " OTA_SQL_ISO("at") ", " OTA_SQL_ISO( \
                   "created_at"),                                                                        \
               "devices", filter, "last_seen", direction)
constexpr int kDeviceCursor = 5;  // the column after those

constexpr Statement kDevices = {"list_devices", OTA_SQL_LIST_DEVICES("", "DESC")};
constexpr Statement kDevicesOfModel = {
    "list_devices_of_model", OTA_SQL_LIST_DEVICES("device_model = $7::text AND", "DESC NULLS LAST")};

#define OTA_SQL_LIST_UPDATES(filter, direction)                                                         \
  OTA_SQL_PAGE(                                                                                         \
      "device_id, firmware_version, status, error_message, progress_percent, started_at, completed_at", \
      "device_id, firmware_version, status, error_message, progress_percent, " OTA_SQL_ISO(             \
          "started_at") ", " OTA_SQL_ISO("completed_at") ", " OTA_SQL_ISO("at"),                        \
      "device_update_status", filter, "reported_at", direction)
constexpr int kUpdateCursor = 8;

constexpr Statement kUpdates = {"list_updates", OTA_SQL_LIST_UPDATES("", "DESC")};
constexpr Statement kUpdatesOfDevice = {"list_updates_of_device",
                                        OTA_SQL_LIST_UPDATES("device_id = $7::text AND", "DESC NULLS LAST")};
constexpr Statement kUpdatesOfVersion = {
    "list_updates_of_version", OTA_SQL_LIST_UPDATES("firmware_version = $7::text AND", "DESC NULLS LAST")};
constexpr Statement kUpdatesOfBoth = {
    "list_updates_of_both",
    OTA_SQL_LIST_UPDATES("device_id = $7::text AND firmware_version = $8::text AND", "DESC NULLS LAST")};

template <class... Filters>
pqxx::result page_of(Session& session, pqxx::work& work, const Statement& statement,
                     const fleet::PageWanted& page, const Filters&... filters) {
  const auto& after = page.after;
  return session.execute(work, statement, page.count_max, after.cut, after.beyond_us, after.id, after.top,
                         after.bottom, without_nul(filters)...);
}

pqxx::result updates_of(Session& session, pqxx::work& work, const std::string& device_id,
                        const std::string& version, const fleet::PageWanted& page) {
  if (device_id.empty() && version.empty()) return page_of(session, work, kUpdates, page);
  if (version.empty()) return page_of(session, work, kUpdatesOfDevice, page, device_id);
  if (device_id.empty()) return page_of(session, work, kUpdatesOfVersion, page, version);
  return page_of(session, work, kUpdatesOfBoth, page, device_id, version);
}

}  // namespace

std::optional<fleet::ListCursor> next_of(const pqxx::result& rows, int first, int count_max) {
  if (rows.empty() || static_cast<int>(rows.size()) < count_max) return std::nullopt;
  const auto last = rows[rows.size() - 1];
  const auto at = [&](int column) { return number_of(last[first + column]); };
  return fleet::ListCursor{at(0), at(1), at(2), at(3), at(4)};
}

Expected<fleet::Page<fleet::DeviceRow>> PgFleetReader::list_devices(const std::string& model,
                                                                    const fleet::PageWanted& page) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const auto rows = model.empty() ? page_of(session, work, kDevices, page)
                                    : page_of(session, work, kDevicesOfModel, page, model);
    fleet::Page<fleet::DeviceRow> devices{{}, next_of(rows, kDeviceCursor, page.count_max)};
    devices.rows.reserve(rows.size());
    for (const auto& row : rows) {
      devices.rows.push_back(
          {text_of(row[0]), text_of(row[1]), text_of(row[2]), text_of(row[3]), text_of(row[4])});
    }
    return devices;
  });
}

Expected<fleet::Page<fleet::UpdateRow>> PgFleetReader::list_updates(const std::string& device_id,
                                                                    const std::string& version,
                                                                    const fleet::PageWanted& page) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const auto rows = updates_of(session, work, device_id, version, page);
    fleet::Page<fleet::UpdateRow> updates{{}, next_of(rows, kUpdateCursor, page.count_max)};
    updates.rows.reserve(rows.size());
    for (const auto& row : rows) {
      fleet::UpdateRow update;
      update.device_id = text_of(row[0]);
      update.version = text_of(row[1]);
      update.status = text_of(row[2]);
      update.error = text_of(row[3]);
      if (!row[4].is_null()) update.progress_percent = static_cast<int>(number_of(row[4]));
      update.started_at = text_of(row[5]);
      update.completed_at = text_of(row[6]);
      update.reported_at = text_of(row[7]);
      updates.rows.push_back(std::move(update));
    }
    return updates;
  });
}

}  // namespace ota::sql
