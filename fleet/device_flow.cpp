#include "fleet/device_flow.hpp"

#include <algorithm>

#include "fleet/version.hpp"

namespace ota::fleet {
namespace {

bool is_under_way(const Device& device) {
  return device.offer && device.offer->open && device.offer->taken && device.attempt &&
         !is_final(device.attempt->status);
}

bool runs(const Device& device, std::string_view version) {
  return compare_versions(device.version, version) == Order::same;
}

// What should be retained has changed: the revision rises, and the publishers know that something is due.
void change_offer(DeviceWork& work, bool retained_changes) {
  auto& offer = *work.device.offer;
  if (retained_changes) ++offer.wanted_revision;
  // Nothing is due on the broker for a device that has only been seen on REST.
  if (!work.device.on_mqtt) offer.published_revision = offer.wanted_revision;
  work.offer_changed = true;
}

void close_offer(DeviceWork& work) {
  auto& offer = *work.device.offer;
  const bool was_standing = offer.is_standing();
  offer.open = false;
  change_offer(work, was_standing);
}

void take_offer(DeviceWork& work) {
  auto& offer = *work.device.offer;
  if (offer.taken) return;
  const bool was_standing = offer.is_standing();
  offer.taken = true;
  change_offer(work, was_standing);
}

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

// When an attempt that has just entered its status times out. Only a device on MQTT is known to say hello at
// once.
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

// An attempt's end: its event, and what it means for the offer it came from.
void record_end(DeviceWork& work, const Attempt& attempt, const FlowContext& context) {
  const bool succeeded = attempt.status == Status::success;
  work.events.push_back(
      attempt_event(succeeded ? "update_completed" : "update_failed", work.device, attempt));
  auto& offer = work.device.offer;
  if (!offer || offer->attempt_id != attempt.id) return;
  offer->retry_at.reset();
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

// The hello of the new version completes the offer's attempt, also one that was never reported (a plain
// poller).
void complete_by_hello(DeviceWork& work, const FlowContext& context) {
  auto& device = work.device;
  const bool unreported = !device.attempt;
  if (unreported) {
    device.attempt.emplace();
    device.attempt->id = device.offer->attempt_id;
    device.attempt->rollout_id = device.offer->rollout_id;
    device.attempt->version = device.offer->version;
    record_start(work, *device.attempt);
    take_offer(work);
  }
  end_attempt(*device.attempt, Status::success, std::nullopt, "", context.now());
  device.attempt->progress_percent = 100;
  work.keep(*device.attempt);
  record_end(work, *device.attempt, context);
}

void apply_hello(DeviceWork& work, const FlowContext& context) {
  auto& device = work.device;
  if (!device.offer) return;
  const bool untaken_and_there = device.offer->open && !device.attempt && runs(device, device.offer->version);
  if (untaken_and_there) return complete_by_hello(work, context);
  if (!device.attempt) return;
  const auto reached = on_hello(*device.attempt, device.version, device.boot_id, context.now());
  if (reached == Status::success) return complete_by_hello(work, context);
  if (reached == Status::rolled_back) {
    end_attempt(*device.attempt, Status::rolled_back, FailureKind::rolled_back,
                "runs " + device.version + " again after installing " + device.attempt->version,
                context.now());
    work.keep(*device.attempt);
    record_end(work, *device.attempt, context);
  }
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
  // What a newer offer supersedes may still report its end, but is nobody's failure when it does not.
  if (is_under_way(device)) {
    device.attempt->due_at.reset();
    work.keep(*device.attempt);
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
  end_attempt(*device.attempt, Status::failed, FailureKind::withdrawn, "withdrawn", context.now());
  work.keep(*device.attempt);
  record_end(work, *device.attempt, context);
}

NoUpdateAnswer no_update_answer(const Device& device, const NoUpdate& none, const Catalog& catalog) {
  NoUpdateAnswer answer{device.version, std::nullopt, none.text};
  if (none.reason == Reason::waits_its_turn) answer.waits_for_rollout = none.rollout->id;
  if (const auto* latest = catalog.latest(device.model)) answer.latest_version = latest->version;
  return answer;
}

// A report of something the device is past: the newest attempt of that version ended the same way, or the
// device runs that version already.
bool is_repetition(const Device& device, const Attempt& newest, const Report& report) {
  if (!is_final(newest.status)) return false;
  return newest.status == report.status || (newest.status == Status::success && runs(device, newest.version));
}

// What a report that moves nothing is told: a repetition or a late step is heard, another end than the
// attempt has is not.
ReportAnswer heard(const Attempt& attempt, const Report& report) {
  const bool contradicts =
      is_final(attempt.status) && is_final(report.status) && attempt.status != report.status;
  if (!contradicts) return {true, ""};
  return {false, "the attempt has already ended as " + std::string(to_string(attempt.status))};
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
}

void add_changes(const DeviceWork& work, Time now, BatchChanges& changes) {
  const auto& device = work.device;
  for (const auto& attempt : work.attempts) changes.attempts.push_back({device.id, attempt, now});
  if (work.offer_changed) changes.offers.push_back({device.id, *device.offer, now});
  if (work.version_changed) changes.versions.emplace_back(device.id, device.version);
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
  if (!check.boot_id.empty()) device.boot_id = check.boot_id;

  apply_hello(work, context);
  auto decision = carry_out(work, decide(device, *context.catalog, context.circumstances), context);
  if (!decision) return tl::unexpected(decision.error());
  if (std::holds_alternative<Update>(*decision))
    return Answer{*offer_answer(device, context.catalog, context.now())};
  return Answer{no_update_answer(device, std::get<NoUpdate>(*decision), *context.catalog)};
}

Expected<Answer> on_report(DeviceWork& work, const Report& report, const ReportTarget& target,
                           const FlowContext& context) {
  auto& device = work.device;
  const bool opens = !target.attempt || (!report.attempt_id && is_final(target.attempt->status) &&
                                         !is_repetition(device, *target.attempt, report));
  Attempt attempt;
  if (opens) {
    // A report naming the offer's attempt is filed there even when the offer was withdrawn meanwhile.
    const bool names_offer = device.offer && report.attempt_id == device.offer->attempt_id;
    const bool fits_offer = device.offer && device.offer->open && !report.attempt_id &&
                            compare_versions(device.offer->version, report.version) == Order::same;
    const bool offered = (names_offer || fits_offer) && !device.attempt;
    const auto id = offered ? Expected<std::int64_t>(device.offer->attempt_id) : context.next_attempt_id();
    if (!id) return tl::unexpected(id.error());
    attempt.id = *id;
    attempt.rollout_id = offered ? device.offer->rollout_id : 0;
    attempt.version = offered ? device.offer->version : report.version;
  } else {
    attempt = *target.attempt;
  }

  const auto step = opens ? Step::move : on_report(attempt.status, report.status);
  if (step == Step::ignore) return Answer{heard(attempt, report)};

  attempt.status = report.status;
  attempt.progress_percent = std::max(step == Step::move ? 0 : attempt.progress_percent,
                                      report.progress_percent.value_or(attempt.progress_percent));
  if (report.status == Status::success) attempt.progress_percent = 100;
  attempt.error = report.error;
  if (step == Step::move) {
    attempt.changed_at = context.now();
    set_due(attempt, device, context);
    // A device gives up what a newer offer has replaced; that is nobody's failure.
    const bool replaced = device.offer && device.offer->attempt_id != attempt.id && !opens;
    if (attempt.status == Status::failed) {
      attempt.failure = replaced ? FailureKind::withdrawn : FailureKind::failed;
    }
    if (attempt.status == Status::rolled_back) attempt.failure = FailureKind::rolled_back;
  }
  if (step == Step::move && report.status == Status::installing) attempt.boot_id = device.boot_id;

  const bool is_current = device.offer && device.offer->attempt_id == attempt.id;
  // Attempts are numbered as they begin: one that began after the offer's is what the device is about now.
  const bool is_newest = is_current || opens || !device.offer || attempt.id > device.offer->attempt_id;
  if (is_current) {
    take_offer(work);
    device.attempt = attempt;
  }
  work.keep(attempt);
  if (opens) record_start(work, attempt);
  if (step == Step::move && is_final(attempt.status)) {
    // A late result of an old attempt is filed there only: it says nothing about what runs now.
    if (attempt.status == Status::success && is_newest) {
      device.version = attempt.version;
      work.version_changed = true;
    }
    record_end(work, attempt, context);
  }
  return Answer{ReportAnswer{true, ""}};
}

Expected<Answer> on_expire(DeviceWork& work, const ReportTarget& target, const FlowContext& context) {
  auto& device = work.device;
  const bool is_due = target.attempt && !is_final(target.attempt->status) && target.attempt->due_at &&
                      *target.attempt->due_at <= context.now();
  if (!is_due) return Answer{ReportAnswer{true, ""}};
  Attempt attempt = *target.attempt;
  const bool silent_after_install = attempt.status == Status::installing && device.on_mqtt;
  end_attempt(attempt, Status::failed,
              silent_after_install ? FailureKind::offline_after_install : FailureKind::timed_out,
              silent_after_install ? "timed out: no hello of the new version after installing"
                                   : "timed out: last seen " + std::string(to_string(attempt.status)),
              context.now());
  if (device.offer && device.offer->attempt_id == attempt.id) device.attempt = attempt;
  work.keep(attempt);
  record_end(work, attempt, context);
  return Answer{ReportAnswer{true, ""}};
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
