#pragma once

#include <memory>

#include "fleet/ports/admin_store.hpp"
#include "sql/connection_pool.hpp"

namespace ota::sql {

/// The admin routes' side of firmware_releases. Thread safe; the pool must outlive it.
class PgReleaseStore final : public fleet::ReleaseStore {
 public:
  explicit PgReleaseStore(ConnectionPool& pool) : pool_(pool) {}
  [[nodiscard]] fleet::Expected<bool> add_release(const fleet::NewRelease& release) override;
  [[nodiscard]] fleet::Expected<fleet::Page<fleet::ReleaseRow>> list_releases(
      const std::string& model, const fleet::PageWanted& page) override;
  [[nodiscard]] fleet::Expected<std::vector<fleet::ReleaseRow>> find_releases(
      const std::string& version, const std::string& model) override;
  [[nodiscard]] fleet::Expected<void> withdraw_release(const std::string& version, const std::string& model,
                                                       const std::string& by,
                                                       const std::string& why) override;
  [[nodiscard]] fleet::Expected<std::string> delete_release(const std::string& version,
                                                            const std::string& model,
                                                            const std::string& by) override;
  [[nodiscard]] fleet::Expected<void> set_manifest(const fleet::Manifest& manifest, const std::string& text,
                                                   const std::string& by) override;
  [[nodiscard]] fleet::Expected<bool> is_file_used(const std::string& file_path) override;

 private:
  ConnectionPool& pool_;
};

/// Lists and figures. Thread safe; the pool must outlive it.
class PgFleetReader final : public fleet::FleetReader {
 public:
  explicit PgFleetReader(ConnectionPool& pool);
  ~PgFleetReader() override;
  [[nodiscard]] fleet::Expected<fleet::Page<fleet::DeviceRow>> list_devices(
      const std::string& model, const fleet::PageWanted& page) override;
  [[nodiscard]] fleet::Expected<fleet::Page<fleet::UpdateRow>> list_updates(
      const std::string& device_id, const std::string& version, const fleet::PageWanted& page) override;
  [[nodiscard]] fleet::Expected<fleet::FleetSummary> summary() override;
  [[nodiscard]] fleet::Expected<fleet::FleetSummary> recent_summary() override;
  /// On a connection of its own, so that neither a busy pool nor a hanging server keeps /health waiting.
  [[nodiscard]] fleet::Expected<void> ping() override;

 private:
  struct Counter;
  struct Pinger;
  ConnectionPool& pool_;
  std::unique_ptr<Counter> counter_;
  std::unique_ptr<Pinger> pinger_;
};

}  // namespace ota::sql
