#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fleet/expected.hpp"
#include "fleet/ports/monitor_store.hpp"

namespace ota::fleet {

struct EventQuery {
  std::string type;  ///< these filters: empty or 0 for all
  std::string device_id;
  std::string version;
  std::int64_t rollout_id = 0;
  std::int64_t before_id = 0;  ///< only lower ids (the page before ended there); 0: from the newest
  int count_max = 50;
};

/// The audit log and the one switch for everything, for admins. Thread safe; `unavailable` when the database
/// is away or no connection came free in time.
class EventStore {
 public:
  virtual ~EventStore() = default;
  /// Newest first.
  [[nodiscard]] virtual Expected<std::vector<EventRow>> list_events(const EventQuery& query) = 0;
  /// Stops (or lets go on) everything new, with its event; answers whether that changed anything.
  [[nodiscard]] virtual Expected<bool> set_frozen(bool frozen, const std::string& by,
                                                  const std::string& why) = 0;
};

}  // namespace ota::fleet
