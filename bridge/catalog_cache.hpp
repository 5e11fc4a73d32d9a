#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "fleet/ports/catalog_store.hpp"
#include "fleet/ports/front_desk.hpp"
#include "fleet/ports/monitor_store.hpp"

namespace ota::bridge {

/// The snapshot of releases and rollouts that decisions are made against. Refreshed when PostgreSQL notifies,
/// when the connection is new, and every 60 s. Thread safe.
class CatalogCache final : public fleet::CatalogSource {
 public:
  CatalogCache(std::unique_ptr<fleet::CatalogStore> store, std::unique_ptr<fleet::ChangeListener> listener,
               std::function<void()> changed);
  ~CatalogCache() override;

  void start();
  void stop();
  [[nodiscard]] std::shared_ptr<const fleet::Catalog> catalog() const override;

  /// Loads the snapshot now, so that it is at least as new as what the caller has read. False: the old one
  /// stays.
  bool refresh();

 private:
  void follow();

  std::mutex loading_;  // one load at a time: the store belongs to whoever holds it
  std::unique_ptr<fleet::CatalogStore> store_;
  std::unique_ptr<fleet::ChangeListener> listener_;
  std::function<void()> changed_;
  mutable std::mutex mutex_;
  std::shared_ptr<const fleet::Catalog> catalog_;
  std::atomic<bool> stopping_{false};
  std::thread follower_;
};

}  // namespace ota::bridge
