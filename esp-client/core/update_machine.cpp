#include "esp-client/core/update_machine.hpp"

namespace ota::device {
namespace {

constexpr std::uint64_t kNever = UINT64_MAX;

std::uint64_t earlier(std::uint64_t a, std::uint64_t b) {
  return a < b ? a : b;
}

}  // namespace

// In the order of Step; kDrop has none.
const std::array<UpdateMachine::Handler, kStepCount> UpdateMachine::kHandlers = {
    nullptr,
    &UpdateMachine::boot,
    &UpdateMachine::greet,
    &UpdateMachine::confirm,
    &UpdateMachine::lost,
    &UpdateMachine::ask,
    &UpdateMachine::take,
    &UpdateMachine::resume,
    &UpdateMachine::compare,
    &UpdateMachine::refuse,
    &UpdateMachine::settle,
    &UpdateMachine::abandon,
    &UpdateMachine::stop,
    &UpdateMachine::restart,
    &UpdateMachine::progress,
    &UpdateMachine::verify,
    &UpdateMachine::retry,
    &UpdateMachine::install,
    &UpdateMachine::reject,
    &UpdateMachine::reboot,
    &UpdateMachine::no_switch,
    &UpdateMachine::confirmed,
    &UpdateMachine::unconfirmed,
    &UpdateMachine::ack,
    &UpdateMachine::ack_install,
    &UpdateMachine::tick,
    &UpdateMachine::tick_wait,
    &UpdateMachine::tick_load,
    &UpdateMachine::tick_install,
    &UpdateMachine::tick_trial,
};

UpdateMachine::UpdateMachine(const Timing& timing, std::uint64_t boot_nonce)
    : timing_(timing), boot_nonce_(boot_nonce), jitter_(boot_nonce) {}

const ActionList& UpdateMachine::handle(const Event& event) {
  actions_.clear();
  note_.clear();
  now_ms_ = event.now_ms;
  const Handler handler = kHandlers[static_cast<std::size_t>(step_for(event.kind, state_))];
  if (handler != nullptr) (this->*handler)(event);
  if (actions_.has(ActionKind::kPersist)) stored_offset_bytes_ = record_.offset_bytes;
  return actions_;
}

std::uint64_t UpdateMachine::deadline_ms() const {
  if (state_ == State::kRebooting) return kNever;
  if (state_ == State::kTrial)
    return connected_ ? earlier(trial_until_ms_, confirm_due_ms_) : trial_until_ms_;
  std::uint64_t due_ms = kNever;
  if (connected_) due_ms = check_due_ms_;
  if (connected_ && record_.result_count > 0) due_ms = earlier(due_ms, results_due_ms_);
  if (state_ == State::kWaiting) due_ms = earlier(due_ms, wait_until_ms_);
  if (state_ == State::kLoading) due_ms = earlier(due_ms, window_start_ms_ + timing_.rate_window_ms);
  if (state_ == State::kInstalling) due_ms = earlier(due_ms, install_until_ms_);
  return due_ms;
}

Report UpdateMachine::report(const Action& action, ReportId& id) const {
  if (action.result_index >= 0) {
    const Result& result = record_.results[static_cast<unsigned char>(action.result_index)];
    const unsigned percent = result.status == Status::kSuccess ? 100 : 0;
    id = result.report_id;
    return {result.attempt_id.view(),
            result.version.view(),
            result.status,
            percent,
            result.reason.view(),
            id.view()};
  }
  id.clear();
  id.append_hex(boot_nonce_).append_cut("-").append_number(action.report_number);
  const Offer& target = record_.target;
  return {
      target.attempt_id.view(), target.version.view(), action.status, action.progress_percent, {}, id.view()};
}

// --- after a start ---------------------------------------------------------------------------------------

void UpdateMachine::boot(const Event& event) {
  if (event.record != nullptr) record_ = *event.record;
  running_version_ = event.boot->running_version;
  slot_bytes_ = event.boot->slot_bytes;
  ++record_.boot_count;
  boot_id_.append_number(record_.boot_count).append_cut("-").append_hex(boot_nonce_);
  if (event.boot->on_trial) {
    state_ = State::kTrial;
    trial_until_ms_ = now_ms_ + timing_.trial_ms;
    note("first start of a new image");
  } else if (record_.phase == Phase::kInstalling) {
    settle_install(*event.boot);
  } else if (record_.phase == Phase::kDownloading) {
    const bool runs_already = record_.target.version == running_version_;
    if (runs_already) record_.phase = Phase::kNone;
    state_ = runs_already ? State::kIdle : State::kResuming;
  }
  persist();
  // The rollback flag is cleared only behind the record that tells of it.
  if (event.boot->rolled_back && state_ != State::kTrial) add(ActionKind::kConfirm);
  if (state_ == State::kVerifying) add(ActionKind::kVerify);
}

// The power went, or the boot loader decided, while an image was being installed.
void UpdateMachine::settle_install(const BootInfo& boot_info) {
  if (record_.target.version == running_version_) {
    add_result(record_.target, Status::kSuccess, {});
    raise_floor();
    record_.phase = Phase::kNone;
  } else if (boot_info.rolled_back || record_.install_tries >= timing_.install_tries_max) {
    add_result(record_.target, Status::kRolledBack,
               Reason()
                   .append_cut("the new image did not start; ")
                   .append_cut(running_version_.view())
                   .append_cut(" runs again"));
    record_.phase = Phase::kNone;
    hold_back(record_.target.sha256);
    note("the boot loader went back to the old image");
  } else {
    // Cut between the record and the switch: nobody outside can tell, so the switch is simply done now.
    state_ = State::kVerifying;
    note("the switch was interrupted");
  }
}

void UpdateMachine::confirm(const Event&) {
  connected_ = true;
  confirm_due_ms_ = now_ms_ + timing_.confirm_retry_ms;
  add(ActionKind::kConfirm);
}

void UpdateMachine::confirmed(const Event&) {
  if (record_.phase == Phase::kInstalling) {
    const bool runs = record_.target.version == running_version_;
    add_result(record_.target, runs ? Status::kSuccess : Status::kRolledBack,
               runs ? Reason() : Reason().append_cut("another image than the offered one runs"));
    if (runs) raise_floor();
  }
  record_.phase = Phase::kNone;
  state_ = State::kIdle;
  persist();
  add(ActionKind::kPublishPresence);
  send_check();  // the hello with the new version comes before the result
  send_results();
}

// The target is what runs now, for good: what was signed before it is history.
void UpdateMachine::raise_floor() {
  const Offer& target = record_.target;
  if (target.sequence > record_.sequence) record_.sequence = target.sequence;
  if (target.server_time_s > record_.time_s) record_.time_s = target.server_time_s;
}

void UpdateMachine::unconfirmed(const Event&) {
  confirm_due_ms_ = now_ms_ + timing_.confirm_retry_ms;
}

void UpdateMachine::tick_trial(const Event&) {
  if (now_ms_ >= trial_until_ms_) {
    note("the new image did not reach its server");
    state_ = State::kRebooting;
    add(ActionKind::kRollBack);
  } else if (connected_ && now_ms_ >= confirm_due_ms_) {
    confirm_due_ms_ = now_ms_ + timing_.confirm_retry_ms;
    add(ActionKind::kConfirm);
  }
}

// --- the conversation ------------------------------------------------------------------------------------

void UpdateMachine::greet(const Event&) {
  connected_ = true;
  check_tries_ = 0;
  results_tries_ = 0;
  add(ActionKind::kPublishPresence);
  send_results();
  send_check();
}

void UpdateMachine::lost(const Event&) {
  connected_ = false;
  check_out_ = false;
}

void UpdateMachine::ask(const Event&) {
  if (connected_ && !check_out_) send_check();
}

void UpdateMachine::settle(const Event&) {
  answered();
}

void UpdateMachine::ack(const Event& event) {
  for (std::size_t i = 0; i < record_.result_count; ++i) {
    if (record_.results[i].report_id.view() != event.text) continue;
    settled_ = record_.results[i];
    for (std::size_t next = i + 1; next < record_.result_count; ++next) {
      record_.results[next - 1] = record_.results[next];
    }
    --record_.result_count;
    results_tries_ = 0;
    persist();
    Action action;
    action.kind = ActionKind::kSettled;
    action.recorded = event.recorded;
    actions_.add(action);
    return;
  }
}

void UpdateMachine::ack_install(const Event& event) {
  ReportId expected;
  expected.append_hex(boot_nonce_).append_cut("-").append_number(install_report_);
  if (event.text == expected.view()) {
    add(ActionKind::kSwitchSlot);
  } else {
    ack(event);
  }
}

void UpdateMachine::tick(const Event&) {
  if (!connected_) return;
  if (record_.result_count > 0 && now_ms_ >= results_due_ms_) {
    ++results_tries_;
    send_results();
  }
  if (now_ms_ >= check_due_ms_) {
    if (check_out_) ++check_tries_;
    send_check();
  }
}

void UpdateMachine::send_check() {
  add(ActionKind::kPublishCheck);
  check_out_ = true;
  check_due_ms_ = answer_due_ms(timing_.check_retry, check_tries_);
}

void UpdateMachine::send_results() {
  for (std::size_t i = 0; i < record_.result_count; ++i) {
    Action action;
    action.kind = ActionKind::kPublishStatus;
    action.result_index = static_cast<std::int8_t>(i);
    actions_.add(action);
  }
  results_due_ms_ = answer_due_ms(timing_.result_retry, results_tries_);
}

void UpdateMachine::answered() {
  check_out_ = false;
  check_tries_ = 0;
  const std::uint64_t tenth_ms = timing_.check_interval_ms / 10;
  check_due_ms_ = now_ms_ + timing_.check_interval_ms - tenth_ms + jitter_.up_to(2 * tenth_ms);
}

// --- results ---------------------------------------------------------------------------------------------

void UpdateMachine::add_result(const Offer& offer, Status status, const Reason& reason) {
  if (record_.result_count == kResultsMax) {
    // The oldest goes: the server settles that attempt by the version in our hello.
    for (std::size_t i = 1; i < kResultsMax; ++i) record_.results[i - 1] = record_.results[i];
    --record_.result_count;
  }
  Result& result = record_.results[record_.result_count++];
  result.attempt_id = offer.attempt_id;
  result.version = offer.version;
  result.status = status;
  result.reason = plain_reason(reason.view());
  result.report_id.clear();
  result.report_id.append_hex(boot_nonce_).append_cut("-").append_number(++report_number_);
  results_tries_ = 0;
}

// There is nothing to do about it: it runs already, or how it ended is still being told.
bool UpdateMachine::is_settled(const Offer& offer) const {
  if (offer.version == running_version_) return true;
  for (std::size_t i = 0; i < record_.result_count; ++i) {
    if (!offer.attempt_id.empty() && record_.results[i].attempt_id == offer.attempt_id) return true;
  }
  return false;
}

void UpdateMachine::finish(Status status, const Reason& reason) {
  add_result(record_.target, status, reason);
  record_.phase = Phase::kNone;
  record_.offset_bytes = 0;
  record_.install_tries = 0;
  state_ = State::kIdle;
  note(reason.view());
  persist();
  if (!connected_) return;
  Action action;
  action.kind = ActionKind::kPublishStatus;
  action.result_index = static_cast<std::int8_t>(record_.result_count - 1);
  actions_.add(action);
  results_due_ms_ = answer_due_ms(timing_.result_retry, results_tries_);
}

void UpdateMachine::hold_back(const Sha256Hex& sha256) {
  const std::uint64_t floor_ms = timing_.hold.base_ms;  // full jitter may say 0, and a hold must be one
  hold_until_ms_ = now_ms_ + floor_ms + timing_.hold.delay_ms(failures_++, jitter_);
  held_sha256_ = sha256;
  check_due_ms_ = earlier(check_due_ms_, hold_until_ms_);
}

// --- small helpers ---------------------------------------------------------------------------------------

void UpdateMachine::add(ActionKind kind) {
  Action action;
  action.kind = kind;
  actions_.add(action);
}

// What is stored is the record as this event leaves it, so once is enough.
void UpdateMachine::persist() {
  if (!actions_.has(ActionKind::kPersist)) add(ActionKind::kPersist);
}

void UpdateMachine::add_step(Status status) {
  if (!connected_) return;
  Action action;
  action.kind = ActionKind::kPublishStatus;
  action.status = status;
  action.progress_percent =
      static_cast<std::uint8_t>(status == Status::kDownloading ? reported_percent_ : 100);
  action.report_number = ++report_number_;
  actions_.add(action);
}

std::uint64_t UpdateMachine::answer_due_ms(const Backoff& backoff, unsigned tries) {
  return now_ms_ + timing_.answer_timeout_ms + backoff.delay_ms(tries, jitter_);
}

void UpdateMachine::note(std::string_view text) {
  note_.clear();
  note_.append_cut(text);
}

}  // namespace ota::device
