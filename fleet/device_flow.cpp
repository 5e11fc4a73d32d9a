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
  if (retained_changes) ++work.device.offer->wanted_revision;
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
  return {std::move(type), device.id, attempt.version, attempt.rollout_id, {std::move(data)}};
}

void record_start(DeviceWork& work, const Attempt& attempt) {
  work.events.push_back(attempt_event("update_started", work.device, attempt));
}

// An attempt's end: its event, and what it means for the offer it came from.
void record_end(DeviceWork& work, const Attempt& attempt) {
  const bool succeeded = attempt.status == Status::success;
  work.events.push_back(
      attempt_event(succeeded ? "update_completed" : "update_failed", work.device, attempt));
  auto& offer = work.device.offer;
  if (!offer || offer->attempt_id != attempt.id) return;
  if (!succeeded) ++offer->failed_attempts;
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
  device.attempt->status = Status::success;
  device.attempt->progress_percent = 100;
  device.attempt->error.clear();
  device.attempt->changed_at = context.now;
  work.keep(*device.attempt);
  record_end(work, *device.attempt);
}

void apply_hello(DeviceWork& work, const FlowContext& context) {
  auto& device = work.device;
  if (!device.offer) return;
  const bool untaken_and_there = device.offer->open && !device.attempt && runs(device, device.offer->version);
  if (untaken_and_there) return complete_by_hello(work, context);
  if (!device.attempt) return;
  const auto reached = on_hello(*device.attempt, device.version, device.boot_id, context.now);
  if (reached == Status::success) return complete_by_hello(work, context);
  if (reached == Status::rolled_back) {
    device.attempt->status = Status::rolled_back;
    device.attempt->error = "runs " + device.version + " again after installing " + device.attempt->version;
    device.attempt->changed_at = context.now;
    work.keep(*device.attempt);
    record_end(work, *device.attempt);
  }
}

// Whether the open offer is already the one that `update` asks for.
bool is_offered(const Device& device, const Update& update) {
  const auto& offer = device.offer;
  return offer && offer->open && offer->release_id == update.release->id &&
         offer->rollout_id == update.rollout->id;
}

Expected<void> make_offer(DeviceWork& work, const Update& update, const FlowContext& context) {
  auto& device = work.device;
  if (is_offered(device, update)) {
    if (device.offer->from_version != device.version) {
      device.offer->from_version = device.version;
      change_offer(work, device.offer->is_standing());
    }
    return {};
  }
  const auto attempt_id = context.next_attempt_id();
  if (!attempt_id) return tl::unexpected(attempt_id.error());
  Offer offer;
  offer.attempt_id = *attempt_id;
  offer.rollout_id = update.rollout->id;
  offer.release_id = update.release->id;
  offer.version = update.release->version;
  offer.from_version = device.version;
  if (device.offer) {
    const bool same_rollout = device.offer->rollout_id == offer.rollout_id;
    offer.failed_attempts = same_rollout ? device.offer->failed_attempts : 0;
    offer.wanted_revision = device.offer->wanted_revision;
    offer.published_revision = device.offer->published_revision;
  }
  device.offer = std::move(offer);
  device.attempt.reset();
  change_offer(work, true);
  return {};
}

NoUpdateAnswer no_update_answer(const Device& device, const NoUpdate& none, const Catalog& catalog) {
  NoUpdateAnswer answer{device.version, std::nullopt, none.text};
  if (const auto* latest = catalog.latest(device.model)) answer.latest_version = latest->version;
  return answer;
}

// A report of something the device is past: the newest attempt of that version ended the same way, or the
// device runs that version already.
bool is_repetition(const Device& device, const Attempt& newest, const Report& report) {
  if (!is_final(newest.status)) return false;
  return newest.status == report.status || (newest.status == Status::success && runs(device, newest.version));
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

std::optional<OfferAnswer> offer_answer(const Device& device, const std::shared_ptr<const Catalog>& catalog) {
  if (!device.offer || !device.offer->open) return std::nullopt;
  const auto* release = catalog->find_release(device.offer->release_id);
  if (release == nullptr) return std::nullopt;
  return OfferAnswer{catalog,
                     release,
                     device.offer->from_version,
                     device.offer->attempt_id,
                     device.offer->rollout_id,
                     device.offer->wanted_revision,
                     device.offer->is_standing()};
}

Expected<Answer> on_check(DeviceWork& work, const Check& check, const FlowContext& context) {
  auto& device = work.device;
  device.model = check.model;
  device.version = check.version;
  if (!check.boot_id.empty()) device.boot_id = check.boot_id;

  apply_hello(work, context);
  const auto decision = decide(device, *context.catalog, context.sha256);
  if (const auto* update = std::get_if<Update>(&decision)) {
    if (auto made = make_offer(work, *update, context); !made) return tl::unexpected(made.error());
    return Answer{*offer_answer(device, context.catalog)};
  }
  if (device.offer && device.offer->is_standing()) close_offer(work);
  return Answer{no_update_answer(device, std::get<NoUpdate>(decision), *context.catalog)};
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
  if (step == Step::ignore) return Answer{ReportAnswer{true, ""}};

  attempt.status = report.status;
  attempt.progress_percent = std::max(step == Step::move ? 0 : attempt.progress_percent,
                                      report.progress_percent.value_or(attempt.progress_percent));
  if (report.status == Status::success) attempt.progress_percent = 100;
  attempt.error = report.error;
  if (step == Step::move) attempt.changed_at = context.now;
  if (step == Step::move && report.status == Status::installing) attempt.boot_id = device.boot_id;

  const bool is_current = device.offer && device.offer->attempt_id == attempt.id;
  const bool is_newest = is_current || opens || !device.offer;
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
    record_end(work, attempt);
  }
  return Answer{ReportAnswer{true, ""}};
}

Expected<void> settle_offer(DeviceWork& work, const Decision& decision, const FlowContext& context) {
  auto& device = work.device;
  if (is_under_way(device)) return {};
  if (const auto* update = std::get_if<Update>(&decision)) {
    // Devices only seen on REST are told when they ask.
    return device.on_mqtt ? make_offer(work, *update, context) : Expected<void>{};
  }
  if (device.offer && device.offer->is_standing()) close_offer(work);
  return {};
}

}  // namespace ota::fleet
