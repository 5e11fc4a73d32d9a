#pragma once

#include <memory>

#include "fleet/ports/update_store.hpp"
#include "sql/connect_options.hpp"

namespace ota::sql {

/// One writer's connection. begin() and commit() are one round trip each. Belongs to one thread.
class PgUpdateStore final : public fleet::UpdateStore {
 public:
  /// Connects at the first call, not here.
  explicit PgUpdateStore(const ConnectOptions& options = {});
  ~PgUpdateStore() override;

  [[nodiscard]] fleet::Expected<std::set<std::string>> find_revoked(
      const std::vector<std::string>& serials) override;
  [[nodiscard]] fleet::Expected<fleet::DeviceTokens> find_tokens(
      const std::vector<fleet::DeviceToken>& shown) override;
  using fleet::UpdateStore::begin;
  [[nodiscard]] fleet::Expected<std::vector<fleet::Device>> begin(const std::vector<fleet::Contact>& contacts,
                                                                  fleet::LockWait wait) override;
  [[nodiscard]] std::int64_t catalog_revision() const override;
  [[nodiscard]] fleet::Expected<std::optional<fleet::Attempt>> find_attempt(const std::string& device_id,
                                                                            std::int64_t attempt_id) override;
  [[nodiscard]] fleet::Expected<std::optional<fleet::Attempt>> find_attempt_at(const std::string& device_id,
                                                                               const std::string& version,
                                                                               std::int64_t except) override;
  [[nodiscard]] fleet::Expected<int> free_slots(std::int64_t rollout_id,
                                                const fleet::PushRate& rate) override;
  [[nodiscard]] fleet::Expected<std::int64_t> next_attempt_id() override;
  [[nodiscard]] fleet::Expected<void> commit(const fleet::BatchChanges& changes) override;
  void rollback() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ota::sql
