#pragma once

#include "fleet/ports/event_store.hpp"
#include "sql/connection_pool.hpp"

namespace ota::sql {

/// The admin routes' side of ota_events and service_settings. Thread safe; the pool must outlive it.
class PgEventStore final : public fleet::EventStore {
 public:
  explicit PgEventStore(ConnectionPool& pool) : pool_(pool) {}
  [[nodiscard]] fleet::Expected<std::vector<fleet::EventRow>> list_events(
      const fleet::EventQuery& query) override;
  [[nodiscard]] fleet::Expected<bool> set_frozen(bool frozen, const std::string& by,
                                                 const std::string& why) override;

 private:
  ConnectionPool& pool_;
};

}  // namespace ota::sql
