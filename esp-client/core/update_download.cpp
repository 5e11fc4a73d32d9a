// The half of UpdateMachine that brings an image into the slot and installs it.
#include "esp-client/core/update_machine.hpp"

namespace ota::device {
namespace {

constexpr std::uint32_t kRetryAfterMaxS = 3600;

// 0 to 99; the last percent is the hash's.
unsigned percent_of(std::uint64_t bytes, std::uint64_t size_bytes) {
  return static_cast<unsigned>(bytes / (size_bytes / 100 + 1));
}

}  // namespace

// --- offers ----------------------------------------------------------------------------------------------

void UpdateMachine::take(const Event& event) {
  answered();
  const Offer& offer = *event.offer;
  if (is_settled(offer)) return;
  const bool held = held_sha256_.empty() || held_sha256_ == offer.sha256;
  if (held && now_ms_ < hold_until_ms_) {
    check_due_ms_ = check_due_ms_ < hold_until_ms_ ? check_due_ms_ : hold_until_ms_;
    return note("offered again what has just failed: waiting");
  }
  if (acceptable(offer)) begin(offer);
}

void UpdateMachine::resume(const Event& event) {
  const Offer& offer = *event.offer;
  if (!offer.same_image(record_.target)) {
    finish(Status::kFailed, Reason().append_cut("superseded by ").append_cut(offer.version.view()));
    return take(event);
  }
  answered();
  note("going on where it stood");
  live_ = true;
  record_.target = offer;
  best_offset_bytes_ = record_.offset_bytes;
  reported_percent_ = percent_of(record_.offset_bytes, offer.size_bytes);
  persist();
  if (record_.offset_bytes == record_.target.size_bytes) return verify(event);
  add_step(Status::kDownloading);
  start_download();
}

// An offer while an attempt is under way: the same image goes on, another one takes its place.
void UpdateMachine::compare(const Event& event) {
  answered();
  const Offer& offer = *event.offer;
  if (offer.same_image(record_.target)) return adopt(offer);
  if (is_settled(offer) || !acceptable(offer)) return;
  if (state_ == State::kLoading) add(ActionKind::kStopDownload);
  finish(Status::kFailed, Reason().append_cut("superseded by ").append_cut(offer.version.view()));
  begin(offer);
}

void UpdateMachine::adopt(const Offer& offer) {
  const bool other_attempt = offer.attempt_id != record_.target.attempt_id;
  const bool other_url = offer.url != record_.target.url;
  if (other_attempt || other_url) {
    record_.target = offer;
    persist();
  }
  if (other_attempt) add_step(Status::kDownloading);
  // A fresh URL ends the wait for one; who waits for his turn or for the network goes on waiting.
  if (state_ == State::kWaiting && other_url && refused_) start_download();
}

// Reports an offer that no download could satisfy.
bool UpdateMachine::acceptable(const Offer& offer) {
  if (offer.size_bytes <= slot_bytes_) return true;
  add_result(offer, Status::kFailed,
             Reason()
                 .append_cut("the image of ")
                 .append_number(offer.size_bytes)
                 .append_cut(" bytes does not fit into the slot of ")
                 .append_number(slot_bytes_));
  note("an image that does not fit");
  if (state_ == State::kIdle) hold_back(offer.sha256);
  persist();
  send_results();
  return false;
}

void UpdateMachine::refuse(const Event& event) {
  answered();
  note(event.text);
  const Offer& offer = *event.offer;
  if (offer.version.empty() || is_settled(offer) || now_ms_ < hold_until_ms_) return;
  add_result(offer, Status::kFailed, Reason().append_cut("offer refused: ").append_cut(event.text));
  hold_back(Sha256Hex());
  persist();
  send_results();
}

void UpdateMachine::begin(const Offer& offer) {
  record_.target = offer;
  record_.phase = Phase::kDownloading;
  record_.offset_bytes = 0;
  record_.install_tries = 0;
  live_ = true;
  resumed_ = false;
  restarted_ = false;
  download_tries_ = 0;
  refusals_ = 0;
  busy_ = 0;
  reported_percent_ = 0;
  best_offset_bytes_ = 0;
  note(offer.version.view());
  persist();
  if (offer.start_within_s > 0) {
    // A fleet that is offered something at the same moment does not begin at the same moment.
    add_step(Status::kPending);
    return wait(jitter_.up_to(offer.start_within_s * std::uint64_t{1000}));
  }
  add_step(Status::kDownloading);
  start_download();
}

void UpdateMachine::abandon(const Event&) {
  answered();
  finish(Status::kFailed, Reason().append_cut("interrupted by a restart, and no longer offered"));
}

void UpdateMachine::stop(const Event& event) {
  answered();
  if (event.text != record_.target.attempt_id.view()) return;
  if (state_ == State::kLoading) add(ActionKind::kStopDownload);
  finish(Status::kFailed, Reason().append_cut("withdrawn by the server"));
}

// --- the download ----------------------------------------------------------------------------------------

void UpdateMachine::start_download() {
  state_ = State::kLoading;
  refused_ = false;
  resumed_ = resumed_ || record_.offset_bytes > 0;
  progress_due_ms_ = now_ms_ + timing_.progress_gap_ms;
  window_start_ms_ = now_ms_;
  window_offset_bytes_ = record_.offset_bytes;
  add(ActionKind::kStartDownload);
}

void UpdateMachine::wait(std::uint64_t delay_ms) {
  state_ = State::kWaiting;
  wait_until_ms_ = now_ms_ + delay_ms;
  // How far it came, should the power go now. A try that brought nothing costs the flash nothing.
  if (record_.offset_bytes != stored_offset_bytes_) persist();
}

void UpdateMachine::restart(const Event&) {
  note("the server starts over");
  record_.offset_bytes = 0;
  window_offset_bytes_ = 0;
}

void UpdateMachine::progress(const Event& event) {
  const std::uint64_t size_bytes = record_.target.size_bytes;
  record_.offset_bytes += event.bytes;
  const std::uint64_t real_progress_bytes = size_bytes / 20 > 4096 ? size_bytes / 20 : 4096;
  if (record_.offset_bytes >= best_offset_bytes_ + real_progress_bytes) {
    best_offset_bytes_ = record_.offset_bytes;
    download_tries_ = 0;
    refusals_ = 0;  // a URL may expire more than once on a slow way
  }
  const unsigned percent = percent_of(record_.offset_bytes, size_bytes);
  if (percent < reported_percent_ + 10 || now_ms_ < progress_due_ms_) return;
  progress_due_ms_ = now_ms_ + timing_.progress_gap_ms;
  reported_percent_ = percent - percent % 10;
  persist();
  add_step(Status::kDownloading);
}

void UpdateMachine::retry(const Event& event) {
  const DownloadFailure& failure = *event.failure;
  note(failure.reason.view());
  switch (failure.kind) {
    case FailureKind::kWrongImage:
    case FailureKind::kFlash:
      hold_back(record_.target.sha256);
      return finish(Status::kFailed, failure.reason);
    case FailureKind::kBusy: {
      if (++busy_ > timing_.busy_max) break;
      const std::uint32_t asked_s =
          failure.retry_after_s < kRetryAfterMaxS ? failure.retry_after_s : kRetryAfterMaxS;
      const std::uint64_t asked_ms = asked_s * std::uint64_t{1000} + timing_.download_retry.base_ms;
      return wait(asked_ms + jitter_.up_to(asked_ms / 2));
    }
    case FailureKind::kRefused:
      if (++refusals_ > timing_.refusals_max) break;
      refused_ = true;
      if (connected_ && !check_out_) send_check();  // a fresh offer may carry a fresh URL
      return wait(timing_.download_retry.base_ms + timing_.download_retry.delay_ms(refusals_, jitter_));
    case FailureKind::kRangeLost:
      record_.offset_bytes = 0;
      [[fallthrough]];
    case FailureKind::kNetwork:
    case FailureKind::kTooSlow:
      if (++download_tries_ > timing_.download_tries_max) break;
      return wait(timing_.download_retry.delay_ms(download_tries_, jitter_));
  }
  hold_back(record_.target.sha256);
  finish(Status::kFailed, Reason().append_cut("gave up: ").append_cut(failure.reason.view()));
}

void UpdateMachine::tick_wait(const Event& event) {
  tick(event);
  if (now_ms_ >= wait_until_ms_) start_download();
}

void UpdateMachine::tick_load(const Event& event) {
  tick(event);
  if (now_ms_ < window_start_ms_ + timing_.rate_window_ms) return;
  const std::uint64_t bytes = record_.offset_bytes - window_offset_bytes_;
  const std::uint64_t wanted_bytes = timing_.rate_bytes_per_s_min * timing_.rate_window_ms / 1000;
  window_start_ms_ = now_ms_;
  window_offset_bytes_ = record_.offset_bytes;
  if (bytes >= wanted_bytes) return;
  DownloadFailure failure;
  failure.kind = FailureKind::kTooSlow;
  failure.reason.append_cut("fewer than ")
      .append_number(timing_.rate_bytes_per_s_min)
      .append_cut(" bytes a second");
  Event too_slow = event;
  too_slow.failure = &failure;
  add(ActionKind::kStopDownload);
  retry(too_slow);
}

// --- verification and installation -----------------------------------------------------------------------

void UpdateMachine::verify(const Event&) {
  state_ = State::kVerifying;
  add(ActionKind::kVerify);
}

void UpdateMachine::reject(const Event& event) {
  if ((resumed_ || !live_) && !restarted_) {
    // Pieces of several downloads may not fit together; one in one piece decides.
    restarted_ = true;
    record_.offset_bytes = 0;
    record_.phase = Phase::kDownloading;
    reported_percent_ = 0;
    note("the pieces do not fit together: once more from the start");
    state_ = State::kResuming;
    persist();
    if (live_) start_download();
    return;
  }
  hold_back(record_.target.sha256);
  finish(Status::kFailed, Reason().append_cut(event.text));
}

void UpdateMachine::install(const Event&) {
  state_ = State::kInstalling;
  record_.phase = Phase::kInstalling;
  ++record_.install_tries;
  install_until_ms_ = now_ms_ + timing_.install_report_wait_ms;
  persist();
  add_step(Status::kDownloaded);
  add_step(Status::kInstalling);
  install_report_ = report_number_;
  // Nobody is listening: nothing to wait for.
  if (!connected_) add(ActionKind::kSwitchSlot);
}

void UpdateMachine::tick_install(const Event& event) {
  if (now_ms_ >= install_until_ms_) return add(ActionKind::kSwitchSlot);
  tick(event);
}

void UpdateMachine::reboot(const Event&) {
  state_ = State::kRebooting;
  add(ActionKind::kReboot);
}

void UpdateMachine::no_switch(const Event& event) {
  hold_back(record_.target.sha256);
  finish(Status::kFailed, Reason().append_cut(event.text));
}

}  // namespace ota::device
