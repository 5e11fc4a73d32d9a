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

constexpr Statement kCountDevices = {
    "count_devices",
    "SELECT device_model, count(*), count(*) FILTER (WHERE online) FROM devices GROUP BY device_model"};
constexpr Statement kCountUpdates = {"count_updates",
                                     "SELECT status, count(*) FROM device_update_status WHERE reported_at > "
                                     "now() - interval '24 hours' GROUP BY status"};
constexpr Statement kCountRollouts = {"count_rollouts",
                                      "SELECT count(*) FROM rollout_configurations WHERE is_active"};

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
