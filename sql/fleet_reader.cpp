#include <chrono>
#include <mutex>

#include "sql/admin_store.hpp"
#include "sql/device_rows.hpp"
#include "sql/link.hpp"
#include "sql/parameters.hpp"
#include "sql/pooled.hpp"

namespace ota::sql {
namespace {

using fleet::Expected;

// Lists are read in the order of an indexed time cut to ten seconds (why: migrations/0003) and sorted exactly
// within each cut. Of one cut at most 20 000 rows are looked at, so that a list stays fast when the whole
// fleet was heard in the same moment, as after a bulk load; beyond that rate the newest rows stand for all.
// One statement for each filter, so that each has its own index.
#define OTA_SQL_IN_ORDER(columns, table, filter, time, direction)                                \
  "SELECT " columns " FROM (SELECT * FROM " table " " filter " ORDER BY " time "_cut " direction \
  ", id DESC LIMIT 20000) AS newest ORDER BY " time "_cut " direction ", " time                  \
  " DESC NULLS LAST, id DESC "                                                                   \
  "LIMIT $1::integer"

#define OTA_SQL_LIST_DEVICES(filter, direction)                                       \
  OTA_SQL_IN_ORDER("device_id, device_model, current_firmware_version, " OTA_SQL_ISO( \
                       "last_seen") ", " OTA_SQL_ISO("created_at"),                   \
                   "devices", filter, "last_seen", direction)

constexpr Statement kDevices = {"list_devices", OTA_SQL_LIST_DEVICES("", "DESC")};
constexpr Statement kDevicesOfModel = {"list_devices_of_model",
                                       OTA_SQL_LIST_DEVICES("WHERE device_model = $2", "DESC NULLS LAST")};

#define OTA_SQL_LIST_UPDATES(filter, direction)                                                          \
  OTA_SQL_IN_ORDER("device_id, firmware_version, status, error_message, progress_percent, " OTA_SQL_ISO( \
                       "started_at") ", " OTA_SQL_ISO("completed_at") ", " OTA_SQL_ISO("reported_at"),   \
                   "device_update_status", filter, "reported_at", direction)

constexpr Statement kUpdates = {"list_updates", OTA_SQL_LIST_UPDATES("", "DESC")};
constexpr Statement kUpdatesOfDevice = {"list_updates_of_device",
                                        OTA_SQL_LIST_UPDATES("WHERE device_id = $2", "DESC NULLS LAST")};
constexpr Statement kUpdatesOfVersion = {
    "list_updates_of_version", OTA_SQL_LIST_UPDATES("WHERE firmware_version = $2", "DESC NULLS LAST")};
constexpr Statement kUpdatesOfBoth = {
    "list_updates_of_both",
    OTA_SQL_LIST_UPDATES("WHERE device_id = $2 AND firmware_version = $3", "DESC NULLS LAST")};

constexpr Statement kCountDevices = {
    "count_devices",
    "SELECT device_model, count(*), count(*) FILTER (WHERE online) FROM devices GROUP BY device_model"};
constexpr Statement kCountUpdates = {"count_updates",
                                     "SELECT status, count(*) FROM device_update_status WHERE reported_at > "
                                     "now() - interval '24 hours' GROUP BY status"};
constexpr Statement kCountRollouts = {"count_rollouts",
                                      "SELECT count(*) FROM rollout_configurations WHERE is_active"};

pqxx::result list_updates_rows(Session& session, pqxx::work& work, const std::string& device_id,
                               const std::string& version, int count_max) {
  without_nul(device_id);
  without_nul(version);
  if (device_id.empty() && version.empty()) return session.execute(work, kUpdates, count_max);
  if (version.empty()) return session.execute(work, kUpdatesOfDevice, count_max, device_id);
  if (device_id.empty()) return session.execute(work, kUpdatesOfVersion, count_max, version);
  return session.execute(work, kUpdatesOfBoth, count_max, device_id, version);
}

}  // namespace

struct PgFleetReader::Pinger {
  explicit Pinger(const ConnectOptions& options) : link(options) {}
  std::mutex mutex;
  Link link;
  Link::Clock::time_point last_began{};
  Expected<void> last;
};

PgFleetReader::PgFleetReader(ConnectionPool& pool)
    : pool_(pool), pinger_(std::make_unique<Pinger>(pool.options())) {}
PgFleetReader::~PgFleetReader() = default;

Expected<std::vector<fleet::DeviceRow>> PgFleetReader::list_devices(const std::string& model, int count_max) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const auto rows = model.empty() ? session.execute(work, kDevices, count_max)
                                    : session.execute(work, kDevicesOfModel, count_max, without_nul(model));
    std::vector<fleet::DeviceRow> devices;
    devices.reserve(rows.size());
    for (const auto& row : rows) {
      devices.push_back(
          {text_of(row[0]), text_of(row[1]), text_of(row[2]), text_of(row[3]), text_of(row[4])});
    }
    return devices;
  });
}

Expected<std::vector<fleet::UpdateRow>> PgFleetReader::list_updates(const std::string& device_id,
                                                                    const std::string& version,
                                                                    int count_max) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    std::vector<fleet::UpdateRow> updates;
    for (const auto& row : list_updates_rows(session, work, device_id, version, count_max)) {
      fleet::UpdateRow update;
      update.device_id = text_of(row[0]);
      update.version = text_of(row[1]);
      update.status = text_of(row[2]);
      update.error = text_of(row[3]);
      if (!row[4].is_null()) update.progress_percent = static_cast<int>(number_of(row[4]));
      update.started_at = text_of(row[5]);
      update.completed_at = text_of(row[6]);
      update.reported_at = text_of(row[7]);
      updates.push_back(std::move(update));
    }
    return updates;
  });
}

Expected<fleet::FleetSummary> PgFleetReader::summary() {
  return in_transaction(pool_, [](Session& session, pqxx::work& work) {
    fleet::FleetSummary summary;
    for (const auto& row : session.execute(work, kCountDevices)) {
      summary.devices_by_model[text_of(row[0])] = number_of(row[1]);
      summary.total_devices += number_of(row[1]);
      summary.devices_online += number_of(row[2]);
    }
    for (const auto& row : session.execute(work, kCountUpdates)) {
      summary.recent_updates_24h[text_of(row[0])] = number_of(row[1]);
    }
    summary.active_rollouts = number_of(session.execute(work, kCountRollouts)[0][0]);
    return summary;
  });
}

Expected<void> PgFleetReader::ping() {
  const auto called = Link::Clock::now();
  const std::lock_guard lock(pinger_->mutex);
  if (pinger_->last_began > called)
    return pinger_->last;  // answered by one that began while this call waited
  pinger_->last_began = Link::Clock::now();
  const auto deadline = pinger_->last_began + std::chrono::seconds(1);
  auto& link = pinger_->link;
  pinger_->last = link.ensure(deadline)
                      .and_then([&](bool) { return link.query("SELECT pg_is_in_recovery()", deadline); })
                      .and_then([&](const std::optional<std::string>& standby) -> Expected<void> {
                        if (standby == "f") return {};
                        link.close();
                        return fleet::fail(fleet::ErrorKind::unavailable, "PostgreSQL is a standby here");
                      });
  return pinger_->last;
}

}  // namespace ota::sql
