#pragma once

#include "fleet/ports/key_store.hpp"
#include "sql/connection_pool.hpp"

namespace ota::sql {

/// The admin routes' side of admin_keys. Thread safe; the pool must outlive it.
class PgKeyStore final : public fleet::KeyStore {
 public:
  explicit PgKeyStore(ConnectionPool& pool) : pool_(pool) {}
  [[nodiscard]] fleet::Expected<void> add_key(const fleet::NewKey& key) override;
  [[nodiscard]] fleet::Expected<std::vector<fleet::KeyRow>> list_keys(int count_max) override;
  [[nodiscard]] fleet::Expected<void> revoke_key(const std::string& name, const std::string& by) override;

 private:
  ConnectionPool& pool_;
};

/// The side of whoever tests keys. Thread safe; the pool must outlive it.
class PgKeyRingStore final : public fleet::KeyRingStore {
 public:
  explicit PgKeyRingStore(ConnectionPool& pool) : pool_(pool) {}
  [[nodiscard]] fleet::Expected<fleet::KeyRing> load_keys() override;
  [[nodiscard]] fleet::Expected<void> note_used(const std::map<std::string, fleet::Time>& used) override;

 private:
  ConnectionPool& pool_;
};

}  // namespace ota::sql
