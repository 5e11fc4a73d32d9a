#pragma once

#include <memory>
#include <mutex>

#include "fleet/ports/catalog_store.hpp"
#include "fleet/ports/front_desk.hpp"

namespace ota::bridge {

/// The snapshot of releases and rollouts that decisions are made against. Thread safe.
class CatalogCache final : public fleet::CatalogSource {
 public:
  explicit CatalogCache(std::unique_ptr<fleet::CatalogStore> store);

  [[nodiscard]] std::shared_ptr<const fleet::Catalog> catalog() const override;

  /// Loads the snapshot now, so that it is at least as new as what the caller has read. False: the old one
  /// stays.
  bool refresh();

 private:
  std::mutex loading_;  // one load at a time: the store belongs to whoever holds it
  std::unique_ptr<fleet::CatalogStore> store_;
  mutable std::mutex mutex_;
  std::shared_ptr<const fleet::Catalog> catalog_;
};

}  // namespace ota::bridge
