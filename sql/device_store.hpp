#pragma once

#include "fleet/ports/device_store.hpp"
#include "sql/connection_pool.hpp"

namespace ota::sql {

/// The admin routes' side of devices. Thread safe; the pool must outlive it.
class PgDeviceStore final : public fleet::DeviceStore {
 public:
  explicit PgDeviceStore(ConnectionPool& pool) : pool_(pool) {}
  [[nodiscard]] fleet::Expected<fleet::DeviceDetails> find_device(const std::string& device_id) override;
  [[nodiscard]] fleet::Expected<void> patch_device(const std::string& device_id,
                                                   const fleet::DevicePatch& patch) override;
  [[nodiscard]] fleet::Expected<void> delete_device(const std::string& device_id,
                                                    const std::string& by) override;
  [[nodiscard]] fleet::Expected<fleet::GroupOutcome> change_group(const fleet::GroupChange& change) override;
  [[nodiscard]] fleet::Expected<std::vector<fleet::Device>> page_of_devices(const std::string& model,
                                                                            const std::string& after,
                                                                            int count_max) override;
  [[nodiscard]] fleet::Expected<std::map<std::string, std::int64_t>> running_versions(
      const std::string& model) override;

 private:
  ConnectionPool& pool_;
};

}  // namespace ota::sql
