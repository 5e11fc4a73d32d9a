#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "fleet/expected.hpp"

namespace ota::fleet {

/// A committed row of ota_events, on its way to fleet/event.
struct EventRow {
  std::int64_t id = 0;
  std::string cursor;  ///< opaque position to go on from
  std::string type;
  std::string device_id;
  std::string version;
  std::int64_t rollout_id = 0;
  std::string data_json;
  std::string created_at;
  std::string by;
};

/// A rollout as monitors see it on fleet/rollout/{id}.
struct RolloutFigures {
  std::int64_t id = 0;
  std::string name;
  std::string version;
  std::string model;
  std::string state;
  int percentage = 0;
  std::map<std::string, std::int64_t> by_status;  ///< attempts of this rollout
};

/// What the leader tells monitors. One connection; belongs to one thread.
class MonitorStore {
 public:
  virtual ~MonitorStore() = default;
  /// Events after the stored cursor, in an order that no later commit can slip behind; at most `count_max`.
  [[nodiscard]] virtual Expected<std::vector<EventRow>> next_events(int count_max) = 0;
  /// Remembers that all up to that event's cursor were published.
  [[nodiscard]] virtual Expected<void> events_published(const std::string& cursor) = 0;
  /// Rollouts that are not ended, and those that ended in the last day.
  [[nodiscard]] virtual Expected<std::vector<RolloutFigures>> rollout_figures() = 0;
};

/// Leadership by an advisory lock. One connection; belongs to one thread.
class LeaderLock {
 public:
  virtual ~LeaderLock() = default;
  /// Whether this process leads now: takes the lock when free; false too when the database is away.
  [[nodiscard]] virtual bool try_lead() = 0;
};

/// Hears of committed changes (LISTEN). One connection; belongs to one thread.
class ChangeListener {
 public:
  virtual ~ChangeListener() = default;
  struct Heard {
    bool catalog = false;  ///< releases or rollouts changed, or the connection is new: load the catalog again
    bool keys = false;     ///< the same for the keys of the admin routes
  };
  /// Waits up to `wait_ms` for a notification. `unavailable` when the database is away (returns at once).
  [[nodiscard]] virtual Expected<Heard> wait(int wait_ms) = 0;
  /// Makes a wait in another thread return soon. Thread safe.
  virtual void wake() = 0;
};

}  // namespace ota::fleet
