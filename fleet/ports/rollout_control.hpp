#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "fleet/expected.hpp"
#include "fleet/ports/rollout_store.hpp"
#include "fleet/rollout_engine.hpp"
#include "fleet/time.hpp"

namespace ota::fleet {

/// A device whose time has come: an attempt that times out, or (attempt_id 0) a pause after a failure that is
/// over.
struct DueDevice {
  std::string device_id;
  std::int64_t attempt_id = 0;
};

/// A step to a rollout's next stage; done only while the rollout is still running in stage `from`.
struct StageStep {
  std::int64_t rollout_id = 0;
  int from = 0;
  Advance to;
};

/// What the leader needs to lead rollouts. One connection; belongs to one thread.
class RolloutControl {
 public:
  virtual ~RolloutControl() = default;
  /// Progress of each of `rollouts` (due_devices as last noted). Those without attempts have zeros.
  [[nodiscard]] virtual Expected<std::map<std::int64_t, RolloutProgress>> progress(
      const std::vector<std::int64_t>& rollouts) = 0;
  /// The newest failures of the rollout that the criterion counts, as a JSON array of {device_id, failure,
  /// error_message}, at most ten.
  [[nodiscard]] virtual Expected<JsonValue> recent_failures(std::int64_t rollout_id) = 0;
  /// As RolloutStore::order.
  [[nodiscard]] virtual Expected<OrderOutcome> order(std::int64_t rollout_id, const RolloutOrder& order) = 0;
  /// With its rollout_advanced event.
  [[nodiscard]] virtual Expected<void> advance(const StageStep& step) = 0;
  /// How many devices have begun or are due in the rollout's present stage; what is due follows from it and
  /// from the attempts.
  [[nodiscard]] virtual Expected<void> note_stage_devices(std::int64_t rollout_id, std::int64_t count) = 0;
  /// Attempts past their due_at and offers past their retry_at, the longest overdue first.
  [[nodiscard]] virtual Expected<std::vector<DueDevice>> due_devices(Time now, int count_max) = 0;
  /// Has the offers of the model's devices worked out anew.
  [[nodiscard]] virtual Expected<void> request_push(const std::string& model) = 0;
  /// Removes up to `count_max` of the oldest events older than `older_than`; answers how many.
  [[nodiscard]] virtual Expected<std::int64_t> prune_events(Time older_than, int count_max) = 0;
};

}  // namespace ota::fleet
