#include <algorithm>
#include <string>
#include <utility>

#include "fleet/attempt_steps.hpp"
#include "fleet/device_flow.hpp"
#include "fleet/version.hpp"

namespace ota::fleet {
namespace {

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

// A device gives up what a newer offer has replaced; that is nobody's failure.
std::optional<FailureKind> failure_of(Status end, bool was_replaced) {
  if (end == Status::rolled_back) return FailureKind::rolled_back;
  if (end == Status::failed) return was_replaced ? FailureKind::withdrawn : FailureKind::failed;
  return std::nullopt;
}

// Whether an attempt that is not the offer's is what the device is about now. Ids do not tell: every
// connection takes a block of them.
bool began_since_offer(const Device& device, const Attempt& attempt) {
  return attempt.started_at >= (device.attempt ? device.attempt->started_at : device.offer->offered_at);
}

std::pair<FailureKind, std::string> reason_of_silence(const Attempt& attempt, const Device& device) {
  const std::string last_seen = "last seen " + std::string(to_string(attempt.status));
  if (attempt.is_replaced()) return {FailureKind::withdrawn, "replaced by a newer offer; " + last_seen};
  if (attempt.status != Status::installing || !device.on_mqtt)
    return {FailureKind::timed_out, "timed out: " + last_seen};
  return {FailureKind::offline_after_install, "timed out: no hello of the new version after installing"};
}

}  // namespace

Expected<Answer> on_report(DeviceWork& work, const Report& report, const ReportTarget& target,
                           const FlowContext& context) {
  auto& device = work.device;
  const bool by_version = !report.attempt_id || target.unheard;
  const bool opens = !target.attempt || (by_version && is_final(target.attempt->status) &&
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
    attempt.started_at = context.now();
  } else {
    attempt = *target.attempt;
  }

  const auto step = opens ? Step::move : on_report(attempt.status, report.status);
  if (step == Step::ignore) return Answer{heard(attempt, report)};

  const bool was_replaced = attempt.is_replaced();
  attempt.status = report.status;
  attempt.progress_percent = std::max(step == Step::move ? 0 : attempt.progress_percent,
                                      report.progress_percent.value_or(attempt.progress_percent));
  if (report.status == Status::success) attempt.progress_percent = 100;
  attempt.error = report.error;
  if (step == Step::move) {
    attempt.changed_at = context.now();
    set_due(attempt, device, context);
    if (is_final(attempt.status)) attempt.failure = failure_of(attempt.status, was_replaced);
  }
  if (step == Step::move && report.status == Status::installing) attempt.boot_id = device.boot_id;

  const bool is_current = device.offer && device.offer->attempt_id == attempt.id;
  // What a newer offer replaced unheard began before it.
  const bool is_newest =
      is_current || !device.offer || (!target.unheard && began_since_offer(device, attempt));
  if (is_current) take_offer(work);
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
  const bool is_due = target.attempt && !is_final(target.attempt->status) && target.attempt->due_at &&
                      *target.attempt->due_at <= context.now();
  if (!is_due) return Answer{ReportAnswer{true, ""}};
  Attempt attempt = *target.attempt;
  const auto [failure, why] = reason_of_silence(attempt, work.device);
  end_attempt(attempt, Status::failed, failure, why, context.now());
  work.keep(attempt);
  record_end(work, attempt, context);
  return Answer{ReportAnswer{true, ""}};
}

}  // namespace ota::fleet
