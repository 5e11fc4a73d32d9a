#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "fleet/ports/update_store.hpp"

namespace ota::tests {

/// A database of devices in memory, with the failures a real one has: it can be away, and it can refuse a
/// device's row.
class FakeUpdateStore final : public fleet::UpdateStore {
 public:
  struct Memory {
    std::map<std::string, fleet::Device> devices;
    std::map<std::int64_t, std::pair<std::string, fleet::Attempt>> attempts;
    std::vector<fleet::Event> events;
    fleet::DeviceTokens tokens;
    std::set<std::string> revoked_serials;
    int token_queries = 0;
    std::set<std::string> refused_devices;  ///< their batch fails as `invalid`
    std::set<std::string> locked_devices;   ///< their batch meets a lock, until `unlocked`
    std::atomic<bool> unlocked{false};
    int locked_for = 0;                      ///< so many begins meet a lock, whosever
    std::set<std::string> throwing_devices;  ///< to load them throws
    int away_for = 0;                        ///< so many begins fail as `unavailable`
    int failing_commits = 0;                 ///< so many commits fail as `unavailable`
    std::int64_t catalog_revision = 0;
    int commits = 0;
    std::vector<std::size_t> batch_sizes;
  };

  explicit FakeUpdateStore(Memory* memory) : memory_(memory) {}

  fleet::Expected<std::set<std::string>> find_revoked(const std::vector<std::string>&) override {
    return memory_->revoked_serials;
  }
  fleet::Expected<fleet::DeviceTokens> find_tokens(const std::vector<fleet::DeviceToken>&) override {
    ++memory_->token_queries;
    if (memory_->away_for > 0) return fleet::fail(fleet::ErrorKind::unavailable, "away");
    return memory_->tokens;
  }

  using fleet::UpdateStore::begin;
  fleet::Expected<std::vector<fleet::Device>> begin(const std::vector<fleet::Contact>& contacts,
                                                    fleet::LockWait) override {
    memory_->batch_sizes.push_back(contacts.size());
    if (memory_->away_for > 0) {
      --memory_->away_for;
      return fleet::fail(fleet::ErrorKind::unavailable, "away");
    }
    if (memory_->locked_for > 0) {
      --memory_->locked_for;
      return tl::unexpected(locked());
    }
    std::vector<fleet::Device> loaded;
    for (const auto& contact : contacts) {
      if (memory_->refused_devices.count(contact.device_id) > 0) {
        return fleet::fail(fleet::ErrorKind::invalid, "row refused");
      }
      if (!memory_->unlocked && memory_->locked_devices.count(contact.device_id) > 0)
        return tl::unexpected(locked());
      if (memory_->throwing_devices.count(contact.device_id) > 0) throw std::runtime_error("a bug");
      auto device = memory_->devices[contact.device_id];
      device.id = contact.device_id;
      if (contact.model) device.model = *contact.model;
      if (contact.version) device.version = *contact.version;
      device.on_mqtt = device.on_mqtt || contact.over_mqtt;
      loaded.push_back(std::move(device));
    }
    pending_ = loaded;
    return loaded;
  }

  [[nodiscard]] std::int64_t catalog_revision() const override { return memory_->catalog_revision; }

  fleet::Expected<std::optional<fleet::Attempt>> find_attempt(const std::string& device_id,
                                                              std::int64_t id) override {
    const auto found = memory_->attempts.find(id);
    if (found == memory_->attempts.end() || found->second.first != device_id) return std::nullopt;
    return found->second.second;
  }

  fleet::Expected<std::optional<fleet::Attempt>> find_attempt_at(const std::string& device_id,
                                                                 const std::string& version,
                                                                 std::int64_t except) override {
    std::optional<fleet::Attempt> newest;
    std::optional<fleet::Attempt> newest_open;
    for (const auto& [id, owned] : memory_->attempts) {
      if (owned.first != device_id || owned.second.version != version || id == except) continue;
      newest = owned.second;
      if (!fleet::is_final(owned.second.status)) newest_open = owned.second;
    }
    return newest_open ? newest_open : newest;
  }

  fleet::Expected<int> free_slots(std::int64_t, const fleet::PushRate&) override { return 1; }
  fleet::Expected<std::int64_t> next_attempt_id() override { return next_id_++; }

  fleet::Expected<void> commit(const fleet::BatchChanges& changes) override {
    if (memory_->failing_commits > 0) {
      --memory_->failing_commits;
      return fleet::fail(fleet::ErrorKind::unavailable, "away");
    }
    ++memory_->commits;
    for (const auto& device : pending_) memory_->devices[device.id] = device;
    for (const auto& change : changes.offers) memory_->devices[change.device_id].offer = change.offer;
    for (const auto& change : changes.attempts) {
      memory_->attempts[change.attempt.id] = {change.device_id, change.attempt};
      auto& device = memory_->devices[change.device_id];
      if (device.offer && device.offer->attempt_id == change.attempt.id) device.attempt = change.attempt;
    }
    for (const auto& [id, version] : changes.versions) memory_->devices[id].version = version;
    for (const auto& [id, boot_id] : changes.boots) memory_->devices[id].boot_id = boot_id;
    memory_->events.insert(memory_->events.end(), changes.events.begin(), changes.events.end());
    return {};
  }

  void rollback() override { pending_.clear(); }

 private:
  static fleet::Error locked() { return {fleet::ErrorKind::unavailable, "locked", "", true}; }

  Memory* memory_;
  std::vector<fleet::Device> pending_;
  std::int64_t next_id_ = 1;
};

}  // namespace ota::tests
