#pragma once

#include <memory>

#include "fleet/ports/push_store.hpp"
#include "sql/connect_options.hpp"

namespace ota::sql {

/// The pushing side of `offers` and `push_requests`, on one connection. Belongs to one thread.
class PgPushStore final : public fleet::PushStore {
 public:
  /// Connects at the first call, not here.
  explicit PgPushStore(const ConnectOptions& options = {});
  ~PgPushStore() override;

  [[nodiscard]] fleet::Expected<std::vector<fleet::PushRequest>> open_requests() override;
  [[nodiscard]] fleet::Expected<void> finish_request(const fleet::PushRequest& request) override;
  [[nodiscard]] fleet::Expected<void> request_push(const std::string& model) override;
  [[nodiscard]] fleet::Expected<std::vector<fleet::Device>> load_page(const std::string& model,
                                                                      const std::string& after,
                                                                      int count_max) override;
  [[nodiscard]] fleet::Expected<void> save_page(const fleet::BatchChanges& changes) override;
  [[nodiscard]] fleet::Expected<std::int64_t> next_attempt_id() override;
  [[nodiscard]] fleet::Expected<int> free_slots(std::int64_t rollout_id,
                                                const fleet::PushRate& rate) override;
  [[nodiscard]] fleet::Expected<std::vector<fleet::WantedOffer>> unpublished(fleet::Time wanted_before,
                                                                             const std::string& after,
                                                                             int count_max) override;
  [[nodiscard]] fleet::Expected<void> mark_published(
      const std::vector<fleet::PublishedOffer>& published) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What the broker was seen to retain, kept in the unlogged table retained_offers_seen. One connection;
/// belongs to one thread.
class PgReconcileStore final : public fleet::ReconcileStore {
 public:
  /// Connects at the first call, not here.
  explicit PgReconcileStore(const ConnectOptions& options = {});
  ~PgReconcileStore() override;

  [[nodiscard]] fleet::Expected<void> begin_reading() override;
  [[nodiscard]] fleet::Expected<void> add_seen(const std::vector<fleet::RetainedOffer>& seen) override;
  [[nodiscard]] fleet::Expected<std::int64_t> mark_missing() override;
  [[nodiscard]] fleet::Expected<std::vector<std::string>> stale(const std::string& after,
                                                                int count_max) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ota::sql
