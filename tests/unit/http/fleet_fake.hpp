#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "fleet/ports/admin_store.hpp"

namespace ota::tests {

class FakeFleet final : public fleet::FleetReader {
 public:
  fleet::Expected<fleet::Page<fleet::DeviceRow>> list_devices(const std::string& model,
                                                              const fleet::PageWanted& page) override {
    asked = model + "/" + std::to_string(page.count_max);
    after = page.after;
    return fleet::Page<fleet::DeviceRow>{{{"esp32_001", "esp32", "1.0.0", "2026-01-02T03:04:05+00:00", ""}},
                                         next};
  }
  fleet::Expected<fleet::Page<fleet::UpdateRow>> list_updates(const std::string& device_id,
                                                              const std::string& version,
                                                              const fleet::PageWanted& page) override {
    asked = device_id + "/" + version + "/" + std::to_string(page.count_max);
    after = page.after;
    return fleet::Page<fleet::UpdateRow>{{{"esp32_001", "1.1.0", "failed", "flash error", 40, "a", "", "c"}},
                                         next};
  }
  fleet::Expected<fleet::FleetSummary> recent_summary() override { return summary(); }
  fleet::Expected<fleet::FleetSummary> summary() override {
    if (away) {
      return tl::unexpected(fleet::Error{fleet::ErrorKind::unavailable, "no server at /run/pg/.s.PGSQL.5432",
                                         "the database does not answer; try again"});
    }
    fleet::FleetSummary summary;
    summary.total_devices = 3;
    summary.devices_by_model = {{"esp32", 2}, {"esp8266", 1}};
    summary.recent_updates_24h = {{"success", 5}};
    summary.active_rollouts = 1;
    summary.devices_online = 2;
    return summary;
  }
  fleet::Expected<void> ping() override {
    if (away) return fleet::fail(fleet::ErrorKind::unavailable, "the database is away");
    return {};
  }

  std::string asked;
  fleet::ListCursor after;
  std::optional<fleet::ListCursor> next;
  std::atomic<bool> away{false};
};

}  // namespace ota::tests
