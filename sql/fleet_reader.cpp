#include <algorithm>
#include <chrono>
#include <mutex>

#include "sql/admin_store.hpp"
#include "sql/counted.hpp"
#include "sql/device_rows.hpp"
#include "sql/link.hpp"
#include "sql/parameters.hpp"
#include "sql/pooled.hpp"

namespace ota::sql {
namespace {

using fleet::Expected;
using Clock = std::chrono::steady_clock;

// Counting a large fleet takes long; asked often, it takes at most a twentieth of the time.
constexpr int kRestFactor = 20;
constexpr auto kFreshMax = std::chrono::seconds(5);

constexpr Statement kCountDevices = {
    "count_devices",
    "SELECT device_model, count(*), count(*) FILTER (WHERE online) FROM devices GROUP BY device_model"};
// By the cut, since that is what has an index.
constexpr Statement kCountUpdates = {"count_updates",
                                     "SELECT status, count(*) FROM device_update_status WHERE reported_at > "
                                     "now() - interval '24 hours' AND reported_at_cut > now() - interval "
                                     "'24 hours 10 seconds' GROUP BY status"};
constexpr Statement kCountRollouts = {"count_rollouts",
                                      "SELECT count(*) FROM rollout_configurations WHERE is_active"};

fleet::FleetSummary count_fleet(Session& session, pqxx::work& work) {
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
}

}  // namespace

// One count at a time: whoever asks meanwhile waits for it and holds no connection.
struct PgFleetReader::Counter {
  const Expected<fleet::FleetSummary>& count(ConnectionPool& pool) {
    began = Clock::now();
    last = in_transaction(pool, [this](Session& session, pqxx::work& work) {
      return figures.get(session, work, [&] { return count_fleet(session, work); });
    });
    const auto ended = Clock::now();
    const auto fresh = std::min<Clock::duration>(kRestFactor * (ended - began), kFreshMax);
    fresh_until = last ? ended + fresh : Clock::time_point{};
    return last;
  }

  std::mutex mutex;
  Clock::time_point began{};
  Clock::time_point fresh_until{};
  Expected<fleet::FleetSummary> last;
  Counted<fleet::FleetSummary> figures;
};

struct PgFleetReader::Pinger {
  explicit Pinger(const ConnectOptions& options) : link(options) {}
  std::mutex mutex;
  Link link;
  Link::Clock::time_point last_began{};
  Expected<void> last;
};

PgFleetReader::PgFleetReader(ConnectionPool& pool)
    : pool_(pool), counter_(std::make_unique<Counter>()), pinger_(std::make_unique<Pinger>(pool.options())) {}
PgFleetReader::~PgFleetReader() = default;

Expected<fleet::FleetSummary> PgFleetReader::summary() {
  const auto called = Clock::now();
  const std::lock_guard lock(counter_->mutex);
  // Answered by one that began while this call waited.
  return counter_->began > called ? counter_->last : counter_->count(pool_);
}

Expected<fleet::FleetSummary> PgFleetReader::recent_summary() {
  const auto called = Clock::now();
  const std::lock_guard lock(counter_->mutex);
  const bool is_known = counter_->began > called || Clock::now() < counter_->fresh_until;
  return is_known ? counter_->last : counter_->count(pool_);
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
