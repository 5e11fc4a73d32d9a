#include "esp-client/core/agent.hpp"

namespace ota::device {
namespace {

Sha256Hex to_hex(const Digest& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  Sha256Hex hex;
  for (const std::uint8_t byte : digest) {
    hex.append_cut(kDigits.substr(byte >> 4U, 1)).append_cut(kDigits.substr(byte & 0xFU, 1));
  }
  return hex;
}

}  // namespace

Agent::Agent(const Identity& identity, const Timing& timing, const Ports& ports)
    : identity_(identity), ports_(ports), machine_(timing, ports.clock.random_u64()) {}

void Agent::boot() {
  Record record;
  const std::size_t size = ports_.storage.load(buffer_.data(), buffer_.size());
  const bool readable = decode_record(std::string_view(buffer_.data(), size), record);
  if (size > 0 && !readable && ports_.observer != nullptr) {
    ports_.observer->on_problem("the stored record was unreadable: starting anew");
  }
  const BootInfo boot_info = ports_.slots.boot_info();
  Event event;
  event.kind = EventKind::kBoot;
  event.record = readable ? &record : nullptr;
  event.boot = &boot_info;
  dispatch(event);
}

void Agent::on_connected() {
  Event event;
  event.kind = EventKind::kConnected;
  dispatch(event);
}

void Agent::on_disconnected() {
  Event event;
  event.kind = EventKind::kDisconnected;
  dispatch(event);
}

void Agent::on_message(Topic topic, std::string_view payload, bool live) {
  if (topic == Topic::kOffer) return on_offer(payload, live);
  Ack ack;
  if (topic != Topic::kAck || !decode_ack(payload, ack)) return;
  Event event;
  event.kind = EventKind::kAck;
  event.text = ack.report_id.view();
  event.recorded = ack.recorded;
  dispatch(event);
}

void Agent::on_offer(std::string_view payload, bool live) {
  if (payload.empty()) return;  // a cleared offer never touches an attempt under way
  Answer answer = decode_answer(payload);
  Event event;
  event.offer = &answer.offer;
  switch (answer.kind) {
    case AnswerKind::kOffer:
      if (live) return weigh(answer.offer, answer.manifest_url.view());
      event.kind = EventKind::kHint;
      break;
    case AnswerKind::kNoUpdate:
      if (!live) return;
      drop_fetch();
      event.kind = EventKind::kNoUpdate;
      break;
    case AnswerKind::kWithdrawn:
      // A withdrawal from before this connection still holds: attempt ids do not come back.
      if (fetch_.is_for(answer.attempt_id)) drop_fetch();
      event.kind = EventKind::kWithdrawn;
      event.text = answer.attempt_id.view();
      break;
    case AnswerKind::kBad:
      if (ports_.observer != nullptr) ports_.observer->on_problem(answer.problem);
      if (!live) return;
      drop_fetch();
      event.kind = EventKind::kBadOffer;
      event.text = answer.problem;
      break;
  }
  dispatch(event);
}

// A live offer: a device with keys acts on it only when its manifest vouches for it.
void Agent::weigh(Offer& offer, std::string_view manifest_url) {
  const Offer& target = machine_.record().target;
  const bool loading = machine_.state() == State::kLoading;
  const bool needs_manifest = ports_.signatures != nullptr && offer.manifest.empty();
  if (needs_manifest && loading && offer.same_image(target)) offer.manifest = target.manifest;
  if (needs_manifest && offer.manifest.empty() && !manifest_url.empty()) {
    // There is one transfer at a time, and the image that is on its way goes first.
    if (!loading) fetch_manifest(offer, manifest_url);
    return;
  }
  drop_fetch();
  Vouched vouched;
  const char* problem = distrust(offer, vouched);
  offer.sequence = vouched.sequence;
  offer.server_time_s = vouched.time_s;
  if (ports_.signatures == nullptr) offer.manifest.clear();
  Event event;
  event.kind = EventKind::kOffer;
  event.offer = &offer;
  if (problem != nullptr) {
    event.kind = EventKind::kBadOffer;
    event.text = problem;
    if (ports_.observer != nullptr) ports_.observer->on_problem(problem);
  }
  dispatch(event);
}

void Agent::fetch_manifest(const Offer& offer, std::string_view manifest_url) {
  const std::uint64_t now_ms = ports_.clock.now_ms();
  if (fetch_.covers(offer, now_ms)) return;
  fetch_.begin(offer, now_ms);
  ports_.download.start(manifest_url, 0);
}

// The server has said something newer, or taken back what it said.
void Agent::drop_fetch() {
  if (!fetch_.active()) return;
  fetch_.stop();
  ports_.download.stop();
}

void Agent::take_fetched() {
  fetch_.stop();
  weigh(fetch_.offer(), {});
}

TrustFloor Agent::trust_floor() const {
  const Record& record = machine_.record();
  TrustFloor floor;
  floor.model = identity_.model.view();
  floor.running_version = machine_.running_version();
  floor.sequence = record.sequence;
  floor.time_s = record.time_s > identity_.built_at_s ? record.time_s : identity_.built_at_s;
  return floor;
}

// Why the device must not install it; nullptr when it may.
const char* Agent::distrust(const Offer& offer, Vouched& vouched) {
  if (ports_.signatures == nullptr) return nullptr;
  return judge_manifest(offer, trust_floor(), *ports_.signatures, vouched);
}

bool Agent::on_response(const ResponseHead& head) {
  if (fetch_.active()) {
    if (head.status == 200) return true;
    fetch_.stop();  // the check was not answered yet, so it is sent again
    return false;
  }
  if (machine_.state() != State::kLoading) return false;
  const Record& record = machine_.record();
  const Verdict verdict = judge_response(head, record.target, record.offset_bytes);
  if (verdict.kind == Verdict::Kind::kFail) {
    fail_download(verdict.failure);
    return false;
  }
  if (verdict.kind == Verdict::Kind::kContinue && record.offset_bytes > 0) return true;
  // Not before the image is on its way: tries that bring nothing would wear the flash out.
  if (!ports_.slots.open(0)) {
    fail_download(FailureKind::kFlash, "the slot cannot be erased");
    return false;
  }
  if (verdict.kind == Verdict::Kind::kContinue) return true;
  Event event;
  event.kind = EventKind::kRestarted;
  dispatch(event);
  return true;
}

bool Agent::on_data(const std::uint8_t* bytes, std::size_t count) {
  if (fetch_.active()) {
    if (fetch_.append(bytes, count)) return true;
    fetch_.stop();
    if (ports_.observer != nullptr) ports_.observer->on_problem("a manifest that is too long");
    return false;
  }
  if (machine_.state() != State::kLoading) return false;
  const Record& record = machine_.record();
  if (count > record.target.size_bytes - record.offset_bytes) {
    fail_download(FailureKind::kWrongImage, "the server sent more bytes than the offer said");
    return false;
  }
  if (!ports_.slots.write(bytes, count)) {
    fail_download(FailureKind::kFlash, "the slot cannot be written");
    return false;
  }
  Event event;
  event.kind = EventKind::kProgress;
  event.bytes = count;
  dispatch(event);
  return true;
}

void Agent::on_download_end(std::string_view problem) {
  if (fetch_.active()) {
    if (problem.empty()) return take_fetched();
    return fetch_.stop();
  }
  if (machine_.state() != State::kLoading) return;
  const Record& record = machine_.record();
  if (record.offset_bytes < record.target.size_bytes) {
    return fail_download(FailureKind::kNetwork, problem.empty() ? "the server closed too early" : problem);
  }
  Event event;
  event.kind = EventKind::kDownloaded;
  dispatch(event);
}

void Agent::poll() {
  Event event;
  event.kind = EventKind::kTick;
  if (ports_.clock.now_ms() >= machine_.deadline_ms()) dispatch(event);
}

void Agent::fail_download(FailureKind kind, std::string_view reason) {
  fail_download(DownloadFailure{kind, 0, plain_reason(reason)});
}

void Agent::fail_download(const DownloadFailure& failure) {
  failure_ = failure;
  Event event;
  event.kind = EventKind::kDownloadFailed;
  event.failure = &failure_;
  dispatch(event);
}

// Carries out the actions in order; an action with an outcome is always the last of its list, so that the
// outcome is the next event.
void Agent::dispatch(Event event) {
  bool more = true;
  while (more) {
    more = false;
    event.now_ms = ports_.clock.now_ms();
    const State before = machine_.state();
    const ActionList& actions = machine_.handle(event);
    if (ports_.observer != nullptr && machine_.state() != before) {
      ports_.observer->on_transition(before, machine_.state(), machine_.note());
    }
    Event outcome;
    for (const Action& action : actions) {
      if (action.kind == ActionKind::kReboot || action.kind == ActionKind::kRollBack) {
        return ports_.clock.reboot(action.kind == ActionKind::kReboot ? Reboot::kNormal
                                                                      : Reboot::kIntoOldImage);
      }
      if (perform(action, outcome)) more = true;
    }
    event = outcome;
  }
}

// True when there is an outcome to hand back.
bool Agent::perform(const Action& action, Event& outcome) {
  switch (action.kind) {
    case ActionKind::kPublishCheck:
      ports_.mqtt.publish(Topic::kCheck,
                          encode_check(identity_, machine_.running_version(), machine_.boot_id(),
                                       buffer_.data(), buffer_.size()),
                          false);
      return false;
    case ActionKind::kPublishPresence:
      ports_.mqtt.publish(
          Topic::kPresence,
          encode_online(identity_, machine_.running_version(), buffer_.data(), buffer_.size()), true);
      return false;
    case ActionKind::kPublishStatus:
      publish_status(action);
      return false;
    case ActionKind::kStartDownload:
      return start_download(outcome);
    case ActionKind::kStopDownload:
      ports_.download.stop();
      return false;
    case ActionKind::kVerify:
      verify(outcome);
      return true;
    case ActionKind::kSwitchSlot:
      switch_slot(outcome);
      return true;
    case ActionKind::kConfirm:
      outcome.kind = ports_.slots.confirm() ? EventKind::kConfirmed : EventKind::kConfirmFailed;
      return true;
    case ActionKind::kPersist:
      persist();
      return false;
    case ActionKind::kSettled:
      if (ports_.observer != nullptr) ports_.observer->on_settled(machine_.settled_result(), action.recorded);
      return false;
    case ActionKind::kReboot:
    case ActionKind::kRollBack:
      return false;  // dispatch() ends with these
  }
  return false;
}

void Agent::publish_status(const Action& action) {
  ReportId id;
  const Report report = machine_.report(action, id);
  ports_.mqtt.publish(Topic::kStatus, encode_status(identity_, report, buffer_.data(), buffer_.size()),
                      false);
}

bool Agent::start_download(Event& outcome) {
  const Record& record = machine_.record();
  fetch_.stop();
  if (record.offset_bytes == 0 || ports_.slots.open(record.offset_bytes)) {
    ports_.download.start(record.target.url.view(), record.offset_bytes);
    return false;
  }
  failure_ = DownloadFailure{FailureKind::kRangeLost, 0, Reason().append_cut("the slot cannot be opened")};
  outcome.kind = EventKind::kDownloadFailed;
  outcome.failure = &failure_;
  return true;
}

// Whether the other slot holds what was offered, and the manifest still vouches for it.
bool Agent::is_sound() {
  const Offer& target = machine_.record().target;
  Vouched vouched;
  Digest digest{};
  verify_reason_.clear();
  if (!ports_.slots.sha256(target.size_bytes, digest)) {
    verify_reason_.append_cut("the slot cannot be read back");
  } else if (const Sha256Hex hex = to_hex(digest); hex != target.sha256) {
    verify_reason_.append_cut("wrong SHA-256: the image has ")
        .append_cut(hex.view().substr(0, 16))
        .append_cut("..., the offer said ")
        .append_cut(target.sha256.view().substr(0, 16))
        .append_cut("...");
  } else if (const char* problem = distrust(target, vouched)) {
    verify_reason_.append_cut("refused: ").append_cut(problem);
  }
  return verify_reason_.empty();
}

void Agent::verify(Event& outcome) {
  outcome.kind = is_sound() ? EventKind::kVerified : EventKind::kVerifyFailed;
  outcome.text = verify_reason_.view();
}

// The slot is looked at once more: seconds may have passed since, and this is the last moment to say no.
void Agent::switch_slot(Event& outcome) {
  outcome.kind = EventKind::kSwitchFailed;
  outcome.text = "the boot slot cannot be switched";
  if (!is_sound()) {
    outcome.text = verify_reason_.view();
  } else if (ports_.slots.activate(machine_.record().target.version)) {
    outcome.kind = EventKind::kSwitched;
  }
}

void Agent::persist() {
  const std::string_view blob = encode_record(machine_.record(), buffer_.data(), buffer_.size());
  // Going on is safe: after a power cut the older record leads to the same image or asks the server anew.
  if ((blob.empty() || !ports_.storage.save(blob)) && ports_.observer != nullptr) {
    ports_.observer->on_problem("the record could not be stored");
  }
}

}  // namespace ota::device
