#pragma once

#include "fleet/ports/token_store.hpp"
#include "sql/connection_pool.hpp"

namespace ota::sql {

/// The table device_tokens, for admins and downloads. Thread safe; the pool must outlive it.
class PgTokenStore final : public fleet::TokenStore {
 public:
  explicit PgTokenStore(ConnectionPool& pool) : pool_(pool) {}
  [[nodiscard]] fleet::Expected<void> set_token(const fleet::DeviceToken& token,
                                                const std::string& by) override;
  [[nodiscard]] fleet::Expected<void> remove_token(const std::string& device_id,
                                                   const std::string& by) override;
  [[nodiscard]] fleet::Expected<std::optional<std::string>> find_owner(
      const fleet::KeyDigest& digest) override;

 private:
  ConnectionPool& pool_;
};

}  // namespace ota::sql
