#include "bridge/catalog_cache.hpp"

#include <spdlog/spdlog.h>

#include <chrono>

namespace ota::bridge {
namespace {

using namespace std::chrono_literals;
constexpr auto kRefreshEvery = 60s;
constexpr int kWaitMs = 1000;

}  // namespace

CatalogCache::CatalogCache(std::unique_ptr<fleet::CatalogStore> store,
                           std::unique_ptr<fleet::ChangeListener> listener, std::function<void()> changed)
    : store_(std::move(store)),
      listener_(std::move(listener)),
      changed_(std::move(changed)),
      catalog_(std::make_shared<const fleet::Catalog>()) {}

CatalogCache::~CatalogCache() {
  stop();
}

void CatalogCache::start() {
  follower_ = std::thread([this] { follow(); });
}

void CatalogCache::stop() {
  stopping_ = true;
  listener_->wake();
  if (follower_.joinable()) follower_.join();
}

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

void CatalogCache::follow() {
  bool due = true;
  auto refreshed_at = std::chrono::steady_clock::now();
  while (!stopping_) {
    if (due && refresh()) {
      due = false;
      changed_();
      refreshed_at = std::chrono::steady_clock::now();
    }
    const auto heard = listener_->wait(kWaitMs);
    if (!heard) std::this_thread::sleep_for(200ms);  // the database is away; it is asked again shortly
    due =
        due || (heard && heard->catalog) || std::chrono::steady_clock::now() - refreshed_at >= kRefreshEvery;
  }
}

}  // namespace ota::bridge
