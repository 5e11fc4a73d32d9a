#include "fleet/attempt_steps.hpp"

#include <algorithm>

#include "fleet/version.hpp"

namespace ota::fleet {
namespace {

Event attempt_event(std::string type, const Device& device, const Attempt& attempt) {
  JsonValue::Object data = {{"attempt_id", {attempt.id}},
                            {"status", {std::string(to_string(attempt.status))}}};
  if (!attempt.error.empty()) data.emplace("error_message", JsonValue{attempt.error});
  if (attempt.failure) data.emplace("failure", JsonValue{std::string(to_string(*attempt.failure))});
  return {std::move(type), device.id, attempt.version, attempt.rollout_id, {std::move(data)}};
}

const RolloutPolicy& policy_of(std::int64_t rollout_id, const FlowContext& context) {
  static const RolloutPolicy kDefault;
  const auto* rollout = context.catalog->find_rollout(rollout_id);
  return rollout == nullptr ? kDefault : rollout->policy;
}

}  // namespace

bool is_under_way(const Device& device) {
  return device.offer && device.offer->open && device.offer->taken && device.attempt &&
         !is_final(device.attempt->status);
}

bool runs(const Device& device, std::string_view version) {
  return compare_versions(device.version, version) == Order::same;
}

void change_offer(DeviceWork& work, bool retained_changes) {
  auto& offer = *work.device.offer;
  if (retained_changes) ++offer.wanted_revision;
  // Nothing is due on the broker for a device that has only been seen on REST.
  if (!work.device.on_mqtt) offer.published_revision = offer.wanted_revision;
  work.offer_changed = true;
}

void take_offer(DeviceWork& work) {
  auto& offer = *work.device.offer;
  if (offer.taken) return;
  const bool was_standing = offer.is_standing();
  offer.taken = true;
  change_offer(work, was_standing);
}

void set_due(Attempt& attempt, const Device& device, const FlowContext& context) {
  const auto& policy = policy_of(attempt.rollout_id, context);
  if (is_final(attempt.status)) {
    attempt.due_at.reset();
    return;
  }
  if (!attempt.due_at) attempt.due_at = context.now() + std::chrono::minutes(policy.attempt_minutes_max);
  if (attempt.status == Status::installing && device.on_mqtt) {
    attempt.due_at = std::min(*attempt.due_at, context.now() + std::chrono::minutes(policy.confirm_minutes));
  }
}

void end_attempt(Attempt& attempt, Status status, std::optional<FailureKind> failure, std::string error,
                 Time now) {
  attempt.status = status;
  attempt.failure = failure;
  attempt.error = std::move(error);
  attempt.changed_at = now;
  attempt.due_at.reset();
}

void record_start(DeviceWork& work, const Attempt& attempt) {
  work.events.push_back(attempt_event("update_started", work.device, attempt));
}

void record_end(DeviceWork& work, const Attempt& attempt, const FlowContext& context) {
  const bool succeeded = attempt.status == Status::success;
  work.events.push_back(
      attempt_event(succeeded ? "update_completed" : "update_failed", work.device, attempt));
  auto& offer = work.device.offer;
  if (!offer || offer->attempt_id != attempt.id) return;
  offer->retry_at.reset();
  if (succeeded) {
    offer->failed_attempts = 0;
    offer->last_failure.reset();
  }
  if (!succeeded && attempt.failure != FailureKind::withdrawn) {
    ++offer->failed_attempts;
    offer->last_failure = attempt.failure;
    offer->retry_at =
        context.now() + policy_of(attempt.rollout_id, context).pause_after(offer->failed_attempts);
  }
  offer->taken = true;
  offer->open = false;
  work.offer_changed = true;
}

}  // namespace ota::fleet
