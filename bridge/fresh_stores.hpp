#pragma once

#include "bridge/catalog_cache.hpp"
#include "bridge/key_cache.hpp"
#include "fleet/ports/admin_store.hpp"
#include "fleet/ports/event_store.hpp"
#include "fleet/ports/key_store.hpp"
#include "fleet/ports/rollout_store.hpp"

namespace ota::bridge {

/// `result` of a change, after what this bridge holds in memory has it too.
template <class Cache, class Result>
Result refreshed(Cache& cache, Result result) {
  if (result) cache.refresh();
  return result;
}

/// A ReleaseStore whose changes are in this bridge's catalog when the call returns, so that an admin's next
/// request, and a device's, already sees them. Other bridges follow by notification.
class FreshReleases final : public fleet::ReleaseStore {
 public:
  FreshReleases(fleet::ReleaseStore& store, CatalogCache& catalogs) : store_(store), catalogs_(catalogs) {}

  fleet::Expected<bool> add_release(const fleet::NewRelease& release) override {
    return refreshed(catalogs_, store_.add_release(release));
  }
  fleet::Expected<fleet::Page<fleet::ReleaseRow>> list_releases(const std::string& model,
                                                                const fleet::PageWanted& page) override {
    return store_.list_releases(model, page);
  }
  fleet::Expected<std::vector<fleet::ReleaseRow>> find_releases(const std::string& version,
                                                                const std::string& model) override {
    return store_.find_releases(version, model);
  }
  fleet::Expected<void> withdraw_release(const std::string& version, const std::string& model,
                                         const std::string& by, const std::string& why) override {
    return refreshed(catalogs_, store_.withdraw_release(version, model, by, why));
  }
  fleet::Expected<std::string> delete_release(const std::string& version, const std::string& model,
                                              const std::string& by) override {
    return refreshed(catalogs_, store_.delete_release(version, model, by));
  }
  fleet::Expected<void> set_manifest(const fleet::Manifest& manifest, const std::string& text,
                                     const std::string& by) override {
    return refreshed(catalogs_, store_.set_manifest(manifest, text, by));
  }
  fleet::Expected<bool> is_file_used(const std::string& file_path) override {
    return store_.is_file_used(file_path);
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
    return refreshed(catalogs_, store_.create_rollout(rollout));
  }
  fleet::Expected<void> patch_rollout(std::int64_t id, const fleet::RolloutPatch& patch) override {
    return refreshed(catalogs_, store_.patch_rollout(id, patch));
  }
  fleet::Expected<fleet::OrderOutcome> order(std::int64_t id, const fleet::RolloutOrder& order) override {
    return refreshed(catalogs_, store_.order(id, order));
  }
  fleet::Expected<std::vector<fleet::RolloutRow>> list_rollouts(const fleet::RolloutQuery& query) override {
    return store_.list_rollouts(query);
  }
  fleet::Expected<fleet::RolloutRow> find_rollout(std::int64_t id) override {
    return store_.find_rollout(id);
  }
  fleet::Expected<fleet::RolloutStanding> standing(std::int64_t id) override { return store_.standing(id); }
  fleet::Expected<std::vector<std::string>> retry(std::int64_t id, const std::string& device_id,
                                                  const std::string& by) override {
    return store_.retry(id, device_id, by);
  }

 private:
  fleet::RolloutStore& store_;
  CatalogCache& catalogs_;
};

/// The same for the one switch for everything.
class FreshEvents final : public fleet::EventStore {
 public:
  FreshEvents(fleet::EventStore& store, CatalogCache& catalogs) : store_(store), catalogs_(catalogs) {}

  fleet::Expected<std::vector<fleet::EventRow>> list_events(const fleet::EventQuery& query) override {
    return store_.list_events(query);
  }
  fleet::Expected<bool> set_frozen(bool frozen, const std::string& by, const std::string& why) override {
    return refreshed(catalogs_, store_.set_frozen(frozen, by, why));
  }

 private:
  fleet::EventStore& store_;
  CatalogCache& catalogs_;
};

/// The same for the keys of the admin routes.
class FreshKeys final : public fleet::KeyStore {
 public:
  FreshKeys(fleet::KeyStore& store, KeyCache& cache) : store_(store), cache_(cache) {}

  fleet::Expected<void> add_key(const fleet::NewKey& key) override {
    return refreshed(cache_, store_.add_key(key));
  }
  fleet::Expected<std::vector<fleet::KeyRow>> list_keys(int count_max) override {
    cache_.write_uses();
    return store_.list_keys(count_max);
  }
  fleet::Expected<void> revoke_key(const std::string& name, const std::string& by) override {
    return refreshed(cache_, store_.revoke_key(name, by));
  }

 private:
  fleet::KeyStore& store_;
  KeyCache& cache_;
};

}  // namespace ota::bridge
