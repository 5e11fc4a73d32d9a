#include "fleet/device_flow.hpp"

#include <algorithm>

#include "fleet/attempt_steps.hpp"

namespace ota::fleet {
namespace {

void close_offer(DeviceWork& work) {
  auto& offer = *work.device.offer;
  const bool was_standing = offer.is_standing();
  offer.open = false;
  change_offer(work, was_standing);
}

// An attempt's end by what the device says it runs.
void end_by_hello(DeviceWork& work, Attempt attempt, Status reached, const FlowContext& context) {
  if (reached == Status::success) {
    end_attempt(attempt, Status::success, std::nullopt, "", context.now());
    attempt.progress_percent = 100;
  } else {
    end_attempt(attempt, Status::rolled_back, FailureKind::rolled_back,
                "runs " + work.device.version + " again after installing " + attempt.version, context.now());
  }
  work.keep(attempt);
  record_end(work, attempt, context);
}

// The offer's attempt that was never reported: a plain poller's.
Attempt begin_unreported(DeviceWork& work, const FlowContext& context) {
  const auto& offer = *work.device.offer;
  Attempt attempt;
  attempt.id = offer.attempt_id;
  attempt.rollout_id = offer.rollout_id;
  attempt.version = offer.version;
  attempt.started_at = context.now();
  record_start(work, attempt);
  take_offer(work);
  return attempt;
}

void apply_hello_to_offer(DeviceWork& work, const FlowContext& context) {
  const auto& device = work.device;
  if (!device.offer) return;
  const bool untaken_and_there = device.offer->open && !device.attempt && runs(device, device.offer->version);
  if (untaken_and_there) return end_by_hello(work, begin_unreported(work, context), Status::success, context);
  if (!device.attempt) return;
  const auto reached = on_hello(*device.attempt, device.version, device.boot_id, context.now());
  if (reached) end_by_hello(work, *device.attempt, *reached, context);
}

// What a newer offer has replaced may be what the device comes back with all the same. That it comes back
// with something else says nothing then: it may have taken the newer one.
void apply_hello_to_other(DeviceWork& work, const FlowContext& context) {
  const auto& device = work.device;
  if (!device.other_attempt) return;
  const auto reached = on_hello(*device.other_attempt, device.version, device.boot_id, context.now());
  if (!reached || (device.other_attempt->is_replaced() && *reached != Status::success)) return;
  end_by_hello(work, *device.other_attempt, *reached, context);
}

// Whether the open offer is already the one that `update` asks for.
bool is_offered(const Device& device, const Update& update) {
  const auto& offer = device.offer;
  return offer && offer->open && offer->release_id == update.release->id &&
         offer->rollout_id == update.rollout->id;
}

// Whether the device has the offer afterwards: false when the rollout's rate lets it wait.
Expected<bool> make_offer(DeviceWork& work, const Update& update, const FlowContext& context) {
  auto& device = work.device;
  if (is_offered(device, update)) {
    if (device.offer->from_version != device.version) {
      device.offer->from_version = device.version;
      change_offer(work, device.offer->is_standing());
    }
    return true;
  }
  auto slot = context.slots->take(*update.rollout);
  if (!slot || !*slot) return slot;
  const auto attempt_id = context.next_attempt_id();
  if (!attempt_id) return tl::unexpected(attempt_id.error());
  Offer offer;
  offer.attempt_id = *attempt_id;
  offer.rollout_id = update.rollout->id;
  offer.release_id = update.release->id;
  offer.version = update.release->version;
  offer.from_version = device.version;
  offer.origin_version = device.version;
  offer.offered_at = context.now();
  if (device.offer) {
    if (device.offer->rollout_id == offer.rollout_id) {
      offer.failed_attempts = device.offer->failed_attempts;
      offer.last_failure = device.offer->last_failure;
      offer.origin_version = device.offer->origin_version;
    }
    offer.wanted_revision = device.offer->wanted_revision;
    offer.published_revision = device.offer->published_revision;
  }
  // What a newer offer replaces may still report its end, but is nobody's failure when it does not.
  if (device.attempt && !is_final(device.attempt->status)) {
    device.attempt->failure = FailureKind::withdrawn;
    work.keep(*device.attempt);
    device.other_attempt = device.attempt;
  }
  device.offer = std::move(offer);
  device.attempt.reset();
  change_offer(work, true);
  return true;
}

// Brings the offer in line with `decision`, and answers it as it came out.
Expected<Decision> carry_out(DeviceWork& work, Decision decision, const FlowContext& context) {
  if (const auto* update = std::get_if<Update>(&decision)) {
    const auto made = make_offer(work, *update, context);
    if (!made) return tl::unexpected(made.error());
    if (*made) return decision;
    decision =
        NoUpdate{Reason::waits_its_turn, update->rollout,
                 "rollout '" + update->rollout->name + "' lets no more devices begin now; asks again later"};
  }
  if (work.device.offer && work.device.offer->is_standing()) close_offer(work);
  return decision;
}

// A release that is never to be offered again stops what has not begun to install.
void stop_withdrawn(DeviceWork& work, const FlowContext& context) {
  auto& device = work.device;
  const auto* release = context.catalog->find_release(device.offer->release_id);
  if (release == nullptr || !release->withdrawn || device.attempt->status == Status::installing) return;
  Attempt attempt = *device.attempt;
  end_attempt(attempt, Status::failed, FailureKind::withdrawn, "withdrawn", context.now());
  work.keep(attempt);
  record_end(work, attempt, context);
}

NoUpdateAnswer no_update_answer(const Device& device, const NoUpdate& none, const Catalog& catalog) {
  NoUpdateAnswer answer{device.version, std::nullopt, none.text};
  if (none.reason == Reason::waits_its_turn) answer.waits_for_rollout = none.rollout->id;
  if (const auto* latest = catalog.latest(device.model)) answer.latest_version = latest->version;
  return answer;
}

}  // namespace

void DeviceWork::keep(const Attempt& attempt) {
  const auto same =
      std::find_if(attempts.begin(), attempts.end(), [&](const Attempt& a) { return a.id == attempt.id; });
  if (same == attempts.end()) {
    attempts.push_back(attempt);
  } else {
    *same = attempt;
  }
  auto& other = device.other_attempt;
  if (device.offer && device.offer->attempt_id == attempt.id) {
    device.attempt = attempt;
  } else if (other && other->id == attempt.id) {
    other = is_final(attempt.status) ? std::nullopt : std::optional(attempt);
  } else if (!is_final(attempt.status) && (!other || other->started_at <= attempt.started_at)) {
    other = attempt;
  }
}

void add_changes(const DeviceWork& work, Time now, BatchChanges& changes) {
  const auto& device = work.device;
  for (const auto& attempt : work.attempts) changes.attempts.push_back({device.id, attempt, now});
  if (work.offer_changed) changes.offers.push_back({device.id, *device.offer, now});
  if (work.version_changed) changes.versions.emplace_back(device.id, device.version);
  if (work.boot_changed) changes.boots.emplace_back(device.id, device.boot_id);
  changes.events.insert(changes.events.end(), work.events.begin(), work.events.end());
}

std::optional<OfferAnswer> offer_answer(const Device& device, const std::shared_ptr<const Catalog>& catalog,
                                        Time now) {
  if (!device.offer || !device.offer->open) return std::nullopt;
  const auto* release = catalog->find_release(device.offer->release_id);
  if (release == nullptr) return std::nullopt;
  const auto* rollout = catalog->find_rollout(device.offer->rollout_id);
  return OfferAnswer{catalog,
                     release,
                     device.offer->from_version,
                     device.offer->attempt_id,
                     device.offer->rollout_id,
                     device.offer->wanted_revision,
                     device.offer->is_standing(),
                     rollout == nullptr ? 0 : rollout->policy.start_within_seconds,
                     now};
}

Expected<Answer> on_check(DeviceWork& work, const Check& check, const FlowContext& context) {
  auto& device = work.device;
  device.model = check.model;
  device.version = check.version;
  if (!check.boot_id.empty() && check.boot_id != device.boot_id) {
    device.boot_id = check.boot_id;
    work.boot_changed = true;
  }

  apply_hello_to_offer(work, context);
  apply_hello_to_other(work, context);
  auto decision = carry_out(work, decide(device, *context.catalog, context.circumstances), context);
  if (!decision) return tl::unexpected(decision.error());
  if (std::holds_alternative<Update>(*decision))
    return Answer{*offer_answer(device, context.catalog, context.now())};
  return Answer{no_update_answer(device, std::get<NoUpdate>(*decision), *context.catalog)};
}

Expected<Decision> settle_offer(DeviceWork& work, const FlowContext& context) {
  auto& device = work.device;
  if (device.offer && device.offer->retry_at && *device.offer->retry_at <= context.now()) {
    device.offer->retry_at.reset();
    work.offer_changed = true;
  }
  if (is_under_way(device)) stop_withdrawn(work, context);
  auto decision = decide(device, *context.catalog, context.circumstances);
  // Devices only seen on REST are told when they ask.
  const bool only_asks = std::holds_alternative<Update>(decision) && !device.on_mqtt;
  if (is_under_way(device) || only_asks) return decision;
  return carry_out(work, std::move(decision), context);
}

Expected<Answer> on_settle(DeviceWork& work, const FlowContext& context) {
  if (work.device.model.empty()) return Answer{ReportAnswer{false, "no such device"}};
  const auto decision = settle_offer(work, context);
  if (!decision) return tl::unexpected(decision.error());
  if (auto offer = offer_answer(work.device, context.catalog, context.now()))
    return Answer{std::move(*offer)};
  if (const auto* none = std::get_if<NoUpdate>(&*decision)) {
    return Answer{no_update_answer(work.device, *none, *context.catalog)};
  }
  return Answer{ReportAnswer{true, "it is told when it asks"}};
}

}  // namespace ota::fleet
