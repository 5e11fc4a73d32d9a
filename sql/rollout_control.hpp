#pragma once

#include <memory>

#include "fleet/ports/rollout_control.hpp"
#include "sql/connect_options.hpp"

namespace ota::sql {

/// The leader's hold on rollouts, on a connection of its own.
class PgRolloutControl final : public fleet::RolloutControl {
 public:
  explicit PgRolloutControl(const ConnectOptions& options = {});
  ~PgRolloutControl() override;
  [[nodiscard]] fleet::Expected<std::map<std::int64_t, fleet::RolloutProgress>> progress(
      const std::vector<std::int64_t>& rollouts) override;
  [[nodiscard]] fleet::Expected<fleet::JsonValue> recent_failures(std::int64_t rollout_id) override;
  [[nodiscard]] fleet::Expected<fleet::OrderOutcome> order(std::int64_t rollout_id,
                                                           const fleet::RolloutOrder& order) override;
  [[nodiscard]] fleet::Expected<void> advance(const fleet::StageStep& step) override;
  [[nodiscard]] fleet::Expected<void> note_stage_devices(std::int64_t rollout_id,
                                                         std::int64_t count) override;
  [[nodiscard]] fleet::Expected<std::vector<fleet::DueDevice>> due_devices(fleet::Time now,
                                                                           int count_max) override;
  [[nodiscard]] fleet::Expected<void> request_push(const std::string& model) override;
  [[nodiscard]] fleet::Expected<std::int64_t> prune_events(fleet::Time older_than, int count_max) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ota::sql
