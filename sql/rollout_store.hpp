#pragma once

#include "fleet/ports/rollout_store.hpp"
#include "sql/connection_pool.hpp"

namespace ota::sql {

/// The admin routes' side of rollout_configurations. Thread safe; the pool must outlive it.
class PgRolloutStore final : public fleet::RolloutStore {
 public:
  explicit PgRolloutStore(ConnectionPool& pool) : pool_(pool) {}
  [[nodiscard]] fleet::Expected<std::int64_t> create_rollout(const fleet::NewRollout& rollout) override;
  [[nodiscard]] fleet::Expected<void> patch_rollout(std::int64_t id,
                                                    const fleet::RolloutPatch& patch) override;
  [[nodiscard]] fleet::Expected<fleet::OrderOutcome> order(std::int64_t id,
                                                           const fleet::RolloutOrder& order) override;
  [[nodiscard]] fleet::Expected<std::vector<fleet::RolloutRow>> list_rollouts(
      const fleet::RolloutQuery& query) override;
  [[nodiscard]] fleet::Expected<fleet::RolloutRow> find_rollout(std::int64_t id) override;
  [[nodiscard]] fleet::Expected<fleet::RolloutStanding> standing(std::int64_t id) override;
  [[nodiscard]] fleet::Expected<std::vector<std::string>> retry(std::int64_t id, const std::string& device_id,
                                                                const std::string& by) override;

 private:
  ConnectionPool& pool_;
};

}  // namespace ota::sql
