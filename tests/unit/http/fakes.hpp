#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "fleet/ports/admin_store.hpp"
#include "fleet/ports/blobs.hpp"
#include "fleet/ports/device_store.hpp"
#include "fleet/ports/event_store.hpp"
#include "fleet/ports/front_desk.hpp"
#include "fleet/ports/key_store.hpp"
#include "fleet/ports/rollout_store.hpp"
#include "fleet/ports/token_store.hpp"
#include "tests/unit/http/fleet_fake.hpp"

namespace ota::tests {

/// Answers each message at once by `answer`, or keeps the replies while `holds` is set.
class FakeDesk final : public fleet::FrontDesk {
 public:
  void submit(fleet::Message message, fleet::Reply reply) override {
    std::unique_lock lock(mutex_);
    if (holds) {
      held_.push_back(std::move(reply));
      return;
    }
    const auto given = answer(message);
    messages_.push_back(std::move(message));
    lock.unlock();
    reply(given);
  }

  fleet::Message last() {
    const std::lock_guard lock(mutex_);
    return messages_.back();
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return messages_.size();
  }
  std::size_t held() {
    const std::lock_guard lock(mutex_);
    return held_.size();
  }

  std::function<fleet::Expected<fleet::Answer>(const fleet::Message&)> answer;
  std::atomic<bool> holds{false};

 private:
  std::mutex mutex_;
  std::vector<fleet::Message> messages_;
  std::vector<fleet::Reply> held_;
};

class FakeCatalogs final : public fleet::CatalogSource {
 public:
  std::shared_ptr<const fleet::Catalog> catalog() const override {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  void set(fleet::Catalog catalog) {
    const std::lock_guard lock(mutex_);
    now_ = std::make_shared<const fleet::Catalog>(std::move(catalog));
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const fleet::Catalog> now_ = std::make_shared<const fleet::Catalog>();
};

/// Releases in memory, with the port's rules: one row per version and model, same bytes are no change.
class FakeReleases final : public fleet::ReleaseStore {
 public:
  fleet::Expected<bool> add_release(const fleet::NewRelease& release) override {
    const std::lock_guard lock(mutex_);
    if (failure) return tl::unexpected(*failure);
    for (const auto& row : rows) {
      if (row.version != release.version || row.model != release.model) continue;
      if (row.sha256 == release.sha256) return false;
      return fleet::fail(fleet::ErrorKind::conflict,
                         "version " + release.version + " exists with other bytes");
    }
    fleet::ReleaseRow row;
    row.version = release.version;
    row.model = release.model;
    row.file_path = release.file_path;
    row.size_bytes = release.size_bytes;
    row.sha256 = release.sha256;
    row.is_signed = release.is_signed;
    row.created_at = "2026-01-02T03:04:05+00:00";
    row.notes = release.notes;
    row.image_json = release.image_json;
    row.forced = release.forced;
    rows.insert(rows.begin(), row);
    last = release;
    return true;
  }
  fleet::Expected<fleet::Page<fleet::ReleaseRow>> list_releases(const std::string& model,
                                                                const fleet::PageWanted& page) override {
    const std::lock_guard lock(mutex_);
    if (failure) return tl::unexpected(*failure);
    fleet::Page<fleet::ReleaseRow> found;
    for (const auto& row : rows) {
      const auto room = found.rows.size() < static_cast<std::size_t>(page.count_max);
      if ((model.empty() || row.model == model) && room) found.rows.push_back(row);
    }
    return found;
  }
  fleet::Expected<std::vector<fleet::ReleaseRow>> find_releases(const std::string& version,
                                                                const std::string& model) override {
    const std::lock_guard lock(mutex_);
    ++finds;
    if (failure) return tl::unexpected(*failure);
    std::vector<fleet::ReleaseRow> found;
    for (const auto& row : rows) {
      if (row.version == version && (model.empty() || row.model == model)) found.push_back(row);
    }
    return found;
  }

  fleet::Expected<void> withdraw_release(const std::string& version, const std::string& model,
                                         const std::string&, const std::string&) override {
    ended = "withdrawn " + version + " " + model;
    return {};
  }
  fleet::Expected<std::string> delete_release(const std::string& version, const std::string& model,
                                              const std::string&) override {
    if (end_failure) return tl::unexpected(*end_failure);
    ended = "deleted " + version + " " + model;
    return unused_file;
  }
  fleet::Expected<bool> is_file_used(const std::string& file_path) override {
    const std::lock_guard lock(mutex_);
    const auto names_it = [&](const fleet::ReleaseRow& row) { return row.file_path == file_path; };
    return file_path != unused_file && std::any_of(rows.begin(), rows.end(), names_it);
  }
  fleet::Expected<void> set_manifest(const fleet::Manifest& manifest, const std::string&,
                                     const std::string&) override {
    ended = "manifest " + manifest.version + " " + std::to_string(manifest.sequence);
    return {};
  }

  std::vector<fleet::ReleaseRow> rows;
  std::string ended;
  std::string unused_file;
  std::optional<fleet::Error> end_failure;
  fleet::NewRelease last;
  std::optional<fleet::Error> failure;
  int finds = 0;

 private:
  std::mutex mutex_;
};

class FakeRollouts final : public fleet::RolloutStore {
 public:
  fleet::Expected<std::int64_t> create_rollout(const fleet::NewRollout& rollout) override {
    if (failure) return tl::unexpected(*failure);
    created = rollout;
    return 41;
  }
  fleet::Expected<void> patch_rollout(std::int64_t id, const fleet::RolloutPatch& patch) override {
    if (failure) return tl::unexpected(*failure);
    last_id = id;
    patched = patch;
    return {};
  }
  fleet::Expected<fleet::OrderOutcome> order(std::int64_t id, const fleet::RolloutOrder& order) override {
    if (failure) return tl::unexpected(*failure);
    last_id = id;
    ordered = order;
    return outcome;
  }
  fleet::Expected<std::vector<fleet::RolloutRow>> list_rollouts(const fleet::RolloutQuery& query) override {
    if (failure) return tl::unexpected(*failure);
    asked = query;
    return rows;
  }
  fleet::Expected<fleet::RolloutRow> find_rollout(std::int64_t id) override {
    if (failure) return tl::unexpected(*failure);
    for (const auto& row : rows) {
      if (row.id == id) return row;
    }
    return fleet::fail(fleet::ErrorKind::not_found, "no rollout with id " + std::to_string(id));
  }
  fleet::Expected<fleet::RolloutStanding> standing(std::int64_t) override { return stands; }
  fleet::Expected<std::vector<std::string>> retry(std::int64_t id, const std::string& device_id,
                                                  const std::string&) override {
    if (auto found = find_rollout(id); !found) return tl::unexpected(found.error());
    last_id = id;
    return device_id.empty() ? std::vector<std::string>{"a", "b"} : std::vector<std::string>{device_id};
  }

  fleet::NewRollout created;
  fleet::RolloutPatch patched;
  std::int64_t last_id = 0;
  fleet::RolloutOrder ordered;
  fleet::OrderOutcome outcome;
  fleet::RolloutQuery asked;
  std::vector<fleet::RolloutRow> rows;
  fleet::RolloutStanding stands;
  std::optional<fleet::Error> failure;
};

/// Takes every signature but those by the key "unknown".
class FakeManifests final : public fleet::ManifestVerifier {
 public:
  fleet::Expected<void> verify(const fleet::Manifest& manifest) const override {
    if (manifest.key_id != "unknown") return {};
    return fleet::fail(fleet::ErrorKind::invalid, "manifest: key unknown is not known to this server");
  }
};

class FakeTokens final : public fleet::TokenStore {
 public:
  fleet::Expected<void> set_token(const fleet::DeviceToken& token, const std::string& by) override {
    tokens[token.device_id] = token.digest;
    last_by = by;
    return {};
  }
  fleet::Expected<void> remove_token(const std::string& device_id, const std::string& by) override {
    last_by = by;
    if (tokens.erase(device_id) > 0) return {};
    return fleet::fail(fleet::ErrorKind::not_found, "device " + device_id + " has no token");
  }
  fleet::Expected<std::optional<std::string>> find_owner(const fleet::KeyDigest& digest) override {
    if (away) return fleet::fail(fleet::ErrorKind::unavailable, "the database is away");
    for (const auto& [device_id, stored] : tokens) {
      if (stored == digest) return device_id;
    }
    return std::nullopt;
  }

  fleet::DeviceTokens tokens;
  std::string last_by;
  bool away = false;
};

class FakeDevices final : public fleet::DeviceStore {
 public:
  fleet::Expected<fleet::DeviceDetails> find_device(const std::string& device_id) override {
    for (const auto& device : devices) {
      if (device.id != device_id) continue;
      fleet::DeviceDetails details;
      details.device = device;
      details.attempts = attempts;
      return details;
    }
    return fleet::fail(fleet::ErrorKind::not_found, "no device with id " + device_id);
  }
  fleet::Expected<void> patch_device(const std::string& device_id, const fleet::DevicePatch& patch) override {
    if (auto found = find_device(device_id); !found) return tl::unexpected(found.error());
    patched = patch;
    return {};
  }
  fleet::Expected<void> delete_device(const std::string& device_id, const std::string&) override {
    if (auto found = find_device(device_id); !found) return tl::unexpected(found.error());
    return {};
  }
  fleet::Expected<fleet::GroupOutcome> change_group(const fleet::GroupChange& wanted) override {
    change = wanted;
    return fleet::GroupOutcome{wanted.add, {"ghost"}};
  }
  fleet::Expected<std::vector<fleet::Device>> page_of_devices(const std::string& model,
                                                              const std::string& after,
                                                              int count_max) override {
    std::vector<fleet::Device> page;
    for (const auto& device : devices) {
      const bool wanted = device.model == model && device.id > after;
      if (wanted && page.size() < static_cast<std::size_t>(count_max)) page.push_back(device);
    }
    return page;
  }
  fleet::Expected<std::map<std::string, std::int64_t>> running_versions(const std::string& model) override {
    std::map<std::string, std::int64_t> versions;
    for (const auto& device : devices) {
      if (device.model == model) ++versions[device.version];
    }
    return versions;
  }

  std::vector<fleet::Device> devices;  ///< by id
  std::vector<fleet::AttemptRow> attempts;
  fleet::DevicePatch patched;
  fleet::GroupChange change;
};

class FakeEvents final : public fleet::EventStore {
 public:
  fleet::Expected<std::vector<fleet::EventRow>> list_events(const fleet::EventQuery& query) override {
    asked = query;
    return rows;
  }
  fleet::Expected<bool> set_frozen(bool wanted, const std::string&, const std::string& reason) override {
    frozen = wanted;
    why = reason;
    return true;
  }

  std::vector<fleet::EventRow> rows;
  fleet::EventQuery asked;
  bool frozen = false;
  std::string why;
};

/// Keys in memory: what is added is in the ring at once, what is revoked is not.
class FakeKeys final : public fleet::KeyStore, public fleet::KeySource {
 public:
  fleet::Expected<void> add_key(const fleet::NewKey& key) override {
    const std::lock_guard lock(mutex_);
    for (const auto& known : added_) {
      if (known.name == key.name) return fleet::fail(fleet::ErrorKind::conflict, "the name is taken");
    }
    added_.push_back(key);
    return {};
  }
  fleet::Expected<std::vector<fleet::KeyRow>> list_keys(int) override {
    const std::lock_guard lock(mutex_);
    std::vector<fleet::KeyRow> rows;
    for (const auto& key : added_) {
      rows.push_back({key.name, std::string(to_string(key.role)), "2026-01-02T03:04:05+00:00", key.by, "",
                      revoked_.count(key.name) > 0 ? "2026-02-03T04:05:06+00:00" : "", ""});
    }
    return rows;
  }
  fleet::Expected<void> revoke_key(const std::string& name, const std::string& by) override {
    const std::lock_guard lock(mutex_);
    for (const auto& key : added_) {
      if (key.name != name) continue;
      revoked_[name] = by;
      return {};
    }
    return fleet::fail(fleet::ErrorKind::not_found, "no key named " + name);
  }
  std::shared_ptr<const fleet::KeyRing> keys() const override {
    const std::lock_guard lock(mutex_);
    if (is_unread) return nullptr;
    std::vector<fleet::AdminKey> ring;
    for (const auto& key : added_) {
      if (revoked_.count(key.name) == 0) ring.push_back({key.name, key.role, key.digest, key.expires_at});
    }
    return std::make_shared<const fleet::KeyRing>(std::move(ring));
  }
  void note_used(const std::string& name, fleet::Time) override {
    const std::lock_guard lock(mutex_);
    used.push_back(name);
  }

  void clear() { added_.clear(); }

  std::vector<std::string> used;
  std::atomic<bool> is_unread{false};

 private:
  mutable std::mutex mutex_;
  std::vector<fleet::NewKey> added_;
  std::map<std::string, std::string> revoked_;
};

}  // namespace ota::tests
