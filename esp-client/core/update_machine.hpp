#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "esp-client/core/backoff.hpp"
#include "esp-client/core/download_rules.hpp"
#include "esp-client/core/messages.hpp"
#include "esp-client/core/model.hpp"
#include "esp-client/core/update_table.hpp"

namespace ota::device {

// Every period and limit of the update loop. Periods in ms.
struct Timing {
  std::uint64_t check_interval_ms = 300'000;  // between two checks when all is quiet, +-10 %
  std::uint64_t answer_timeout_ms = 10'000;   // for the answer to a check and for an ack
  Backoff check_retry{5'000, 120'000};
  Backoff result_retry{5'000, 60'000};
  Backoff download_retry{1'000, 60'000};
  Backoff hold{10'000, 600'000};                 // before an image that failed is tried again
  std::uint64_t install_report_wait_ms = 3'000;  // for the ack of "installing" before the reboot
  std::uint64_t trial_ms = 1'800'000;            // in which a new image must reach its server
  std::uint64_t confirm_retry_ms = 5'000;
  std::uint64_t progress_gap_ms = 1'000;  // at least, between two reports of progress
  std::uint64_t rate_window_ms = 30'000;
  std::uint64_t rate_bytes_per_s_min = 64;
  unsigned download_tries_max = 20;  // in a row without real progress
  unsigned refusals_max = 3;
  unsigned busy_max = 500;
  unsigned install_tries_max = 3;  // slot switches that led back to the old image without a word
};

struct Event {
  EventKind kind = EventKind::kTick;
  std::uint64_t now_ms = 0;
  const Record* record = nullptr;            // kBoot: as stored; nullptr when there was none
  const BootInfo* boot = nullptr;            // kBoot
  const Offer* offer = nullptr;              // kOffer; kBadOffer as far as it could be read
  const DownloadFailure* failure = nullptr;  // kDownloadFailed
  std::uint64_t bytes = 0;                   // kProgress: written since the last one
  std::string_view text = {};  // kWithdrawn: attempt id; kAck: report id; kBadOffer, kVerifyFailed,
                               // kSwitchFailed: the reason
  bool recorded = false;       // kAck
};

enum class ActionKind : std::uint8_t {
  kPublishCheck,
  kPublishPresence,
  kPublishStatus,
  kStartDownload,  // of record().target from record().offset_bytes on
  kStopDownload,
  kVerify,
  kSwitchSlot,
  kConfirm,
  kReboot,
  kRollBack,  // reboot into the old image
  kPersist,   // store record()
  kSettled,   // the server took or refused a final result
};

struct Action {
  ActionKind kind = ActionKind::kPersist;
  Status status = Status::kPending;   // kPublishStatus of a step on the way
  std::uint8_t progress_percent = 0;  // the same
  std::int8_t result_index = -1;      // kPublishStatus of a final result: which of record().results
  bool recorded = false;              // kSettled, with settled_result()
  std::uint32_t report_number = 0;    // kPublishStatus of a step on the way
};

class ActionList {
 public:
  static constexpr std::size_t kCapacity = 10;  // the longest answer has 7, a test counts them

  void add(const Action& action) {
    if (size_ < kCapacity) actions_[size_++] = action;
  }
  void clear() { size_ = 0; }
  [[nodiscard]] bool has(ActionKind kind) const {
    for (const Action& action : *this) {
      if (action.kind == kind) return true;
    }
    return false;
  }
  [[nodiscard]] const Action* begin() const { return actions_.data(); }
  [[nodiscard]] const Action* end() const { return actions_.data() + size_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::array<Action, kCapacity> actions_{};
  std::size_t size_ = 0;
};

// The update loop of one device: (state, event) -> actions, without I/O, clock or heap. The caller carries
// the actions out in order and then hands their outcomes back as events. The first event is kBoot.
// Not thread safe. Rules: contract section 4.
class UpdateMachine {
 public:
  // `boot_nonce`: random, so that report ids and boot ids never repeat over reboots.
  UpdateMachine(const Timing& timing, std::uint64_t boot_nonce);

  // The list stays valid until the next call.
  const ActionList& handle(const Event& event);

  // When the next kTick is wanted; UINT64_MAX: never.
  [[nodiscard]] std::uint64_t deadline_ms() const;

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] const Record& record() const { return record_; }
  [[nodiscard]] std::string_view running_version() const { return running_version_.view(); }
  [[nodiscard]] std::string_view boot_id() const { return boot_id_.view(); }
  [[nodiscard]] const Result& settled_result() const { return settled_; }  // of the last kSettled
  [[nodiscard]] std::string_view note() const { return note_.view(); }  // why the last event did what it did

  // The message behind a kPublishStatus; its views live until the next handle() and while `id` lives.
  [[nodiscard]] Report report(const Action& action, ReportId& id) const;

 private:
  using Handler = void (UpdateMachine::*)(const Event&);
  static const std::array<Handler, kStepCount> kHandlers;

  // One handler per step of the table, in its order.
  void boot(const Event& event);
  void greet(const Event& event);
  void confirm(const Event& event);
  void lost(const Event& event);
  void ask(const Event& event);
  void take(const Event& event);
  void resume(const Event& event);
  void compare(const Event& event);
  void refuse(const Event& event);
  void settle(const Event& event);
  void abandon(const Event& event);
  void stop(const Event& event);
  void restart(const Event& event);
  void progress(const Event& event);
  void verify(const Event& event);
  void retry(const Event& event);
  void install(const Event& event);
  void reject(const Event& event);
  void reboot(const Event& event);
  void no_switch(const Event& event);
  void confirmed(const Event& event);
  void unconfirmed(const Event& event);
  void ack(const Event& event);
  void ack_install(const Event& event);
  void tick(const Event& event);
  void tick_wait(const Event& event);
  void tick_load(const Event& event);
  void tick_install(const Event& event);
  void tick_trial(const Event& event);

  void add(ActionKind kind);
  void persist();
  void add_step(Status status);
  void send_check();
  void send_results();
  void answered();
  void settle_install(const BootInfo& boot_info);
  void raise_floor();
  void add_result(const Offer& offer, Status status, const Reason& reason);
  [[nodiscard]] bool is_settled(const Offer& offer) const;
  [[nodiscard]] bool acceptable(const Offer& offer);
  void begin(const Offer& offer);
  void adopt(const Offer& offer);
  void start_download();
  void wait(std::uint64_t delay_ms);
  void finish(Status status, const Reason& reason);
  void hold_back(const Sha256Hex& sha256);
  void note(std::string_view text);
  [[nodiscard]] std::uint64_t answer_due_ms(const Backoff& backoff, unsigned tries);

  Timing timing_;
  std::uint64_t boot_nonce_;
  Jitter jitter_;
  State state_ = State::kIdle;
  std::uint64_t now_ms_ = 0;
  ActionList actions_;
  Reason note_;

  Record record_;
  Version running_version_;
  FixedString<32> boot_id_;
  std::uint64_t slot_bytes_ = 0;
  std::uint32_t report_number_ = 0;
  Result settled_;

  bool connected_ = false;
  bool check_out_ = false;  // asked and not answered
  unsigned check_tries_ = 0;
  std::uint64_t check_due_ms_ = 0;
  unsigned results_tries_ = 0;
  std::uint64_t results_due_ms_ = 0;

  bool live_ = false;       // the server has offered this attempt since the boot
  bool resumed_ = false;    // some of the image was there before a download started
  bool restarted_ = false;  // the one fresh start after a bad hash is used up
  unsigned download_tries_ = 0;
  unsigned refusals_ = 0;
  bool refused_ = false;  // waits because the server would not give the URL
  unsigned busy_ = 0;
  unsigned reported_percent_ = 0;
  std::uint64_t progress_due_ms_ = 0;
  std::uint64_t best_offset_bytes_ = 0;
  std::uint64_t stored_offset_bytes_ = 0;  // of the record as it was last handed over to be stored
  std::uint64_t wait_until_ms_ = 0;
  std::uint64_t window_start_ms_ = 0;
  std::uint64_t window_offset_bytes_ = 0;

  unsigned failures_ = 0;
  std::uint64_t hold_until_ms_ = 0;
  Sha256Hex held_sha256_;  // empty while held: every image

  std::uint32_t install_report_ = 0;
  std::uint64_t install_until_ms_ = 0;
  std::uint64_t trial_until_ms_ = 0;
  std::uint64_t confirm_due_ms_ = 0;
};

}  // namespace ota::device
