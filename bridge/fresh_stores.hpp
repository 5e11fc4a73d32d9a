#pragma once

#include "bridge/catalog_cache.hpp"
#include "fleet/ports/admin_store.hpp"

namespace ota::bridge {

/// A ReleaseStore whose changes are in this bridge's catalog when the call returns, so that an admin's next
/// request, and a device's, already sees them. Other bridges follow by notification.
class FreshReleases final : public fleet::ReleaseStore {
 public:
  FreshReleases(fleet::ReleaseStore& store, CatalogCache& catalogs) : store_(store), catalogs_(catalogs) {}

  fleet::Expected<bool> add_release(const fleet::NewRelease& release) override {
    auto added = store_.add_release(release);
    if (added) catalogs_.refresh();
    return added;
  }
  fleet::Expected<std::vector<fleet::ReleaseRow>> list_releases(const std::string& model,
                                                                int count_max) override {
    return store_.list_releases(model, count_max);
  }
  fleet::Expected<std::vector<fleet::ReleaseRow>> find_releases(const std::string& version,
                                                                const std::string& model) override {
    return store_.find_releases(version, model);
  }

 private:
  fleet::ReleaseStore& store_;
  CatalogCache& catalogs_;
};

/// The same for rollouts.
class FreshRollouts final : public fleet::RolloutStore {
 public:
  FreshRollouts(fleet::RolloutStore& store, CatalogCache& catalogs) : store_(store), catalogs_(catalogs) {}

  fleet::Expected<std::int64_t> create_rollout(const fleet::NewRollout& rollout) override {
    return refreshed(store_.create_rollout(rollout));
  }
  fleet::Expected<void> patch_rollout(std::int64_t id, const fleet::RolloutPatch& patch) override {
    return refreshed(store_.patch_rollout(id, patch));
  }
  fleet::Expected<void> deactivate_rollout(std::int64_t id, const std::string& by) override {
    return refreshed(store_.deactivate_rollout(id, by));
  }

 private:
  template <class Result>
  Result refreshed(Result result) {
    if (result) catalogs_.refresh();
    return result;
  }

  fleet::RolloutStore& store_;
  CatalogCache& catalogs_;
};

}  // namespace ota::bridge
