#include "bridge/catalog_cache.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace ota::bridge {
CatalogCache::CatalogCache(std::unique_ptr<fleet::CatalogStore> store)
    : store_(std::move(store)), catalog_(std::make_shared<const fleet::Catalog>()) {}

std::shared_ptr<const fleet::Catalog> CatalogCache::catalog() const {
  const std::lock_guard lock(mutex_);
  return catalog_;
}

bool CatalogCache::refresh() {
  const std::lock_guard loading(loading_);
  auto loaded = store_->load_catalog();
  if (!loaded) {
    spdlog::warn("catalog: keeping the old snapshot: {}", loaded.error().message);
    return false;
  }
  auto fresh = std::make_shared<const fleet::Catalog>(std::move(*loaded));
  {
    const std::lock_guard lock(mutex_);
    catalog_ = std::move(fresh);
  }
  spdlog::debug("catalog: refreshed");
  return true;
}

}  // namespace ota::bridge
