#include "bridge/revocation_keeper.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>

#include "bridge/run_guarded.hpp"

namespace ota::bridge {
namespace {

using namespace std::chrono_literals;
using fleet::ErrorKind;
using fleet::Expected;
using fleet::RevokedSerial;
using SteadyClock = std::chrono::steady_clock;

constexpr auto kTick = 1s;
constexpr auto kLookEvery = 60s;
constexpr auto kProbeEvery = 15min;
constexpr auto kAgainAfter = 5s;
constexpr int kCutMax = 500;
constexpr std::size_t kUnprovenMax = 10000;
// A broker told by signal reads the list within milliseconds, one that is told by a watcher of the file
// later.
constexpr auto kInForceWithin = 6s;
constexpr auto kReloadTakes = 1s;
constexpr auto kProbePause = 200ms;
// So long the canaries of earlier lists, or of other bridges that keep the same file, stay on it.
constexpr auto kOldCanaryStays = 24h;
constexpr auto kGoodCanaryLife = 10min;
// Lists are renewed when half their time has passed: so little left means that something keeps failing.
constexpr int kAlarmPart = 3;

bool is_canary(const RevokedSerial& entry) {
  return IssuingAuthority::is_canary(entry.serial);
}

Expected<void> still_connected(const std::vector<fleet::UncutDevice>& left) {
  return fleet::fail(ErrorKind::unavailable, "the broker does not let this bridge end the connection of " +
                                                 left.front().device_id +
                                                 (left.size() > 1 ? " and others" : "") +
                                                 ", whose identity was taken back; it is tried again");
}

}  // namespace

RevocationKeeper::RevocationKeeper(Ports ports)
    : ports_(std::move(ports)),
      file_(ports_.crl_file, *ports_.authority),
      canary_file_(ports_.crl_file),
      canary_(canary_file_.read()) {}

RevocationKeeper::~RevocationKeeper() {
  stop();
}

void RevocationKeeper::start() {
  thread_ = std::thread([this] { run(); });
}

void RevocationKeeper::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void RevocationKeeper::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

RevocationState RevocationKeeper::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void RevocationKeeper::run() {
  while (!stopping_) {
    run_guarded("revocation keeper", [this] { turn(); });
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kTick, [this] { return stopping_ || woken_; });
    woken_ = false;
  }
}

void RevocationKeeper::turn() {
  if (SteadyClock::now() < again_at_) return;
  const auto outcome = keep();
  if (!outcome) again_at_ = SteadyClock::now() + kAgainAfter;
  note(outcome);
}

Expected<void> RevocationKeeper::keep() {
  const auto uncut = ports_.store->uncut(kCutMax);
  if (!uncut) return tl::unexpected(uncut.error().with_context("cannot read what is revoked"));
  const auto now = SteadyClock::now();
  if (!uncut->empty() || now >= look_at_ || file_.has_changed()) {
    if (auto current = bring_up_to_date(); !current) return current;
    look_at_ = now + kLookEvery;
  }
  auto in_force = reload_due_ ? put_in_force() : Expected<void>();
  reload_due_ = !in_force;
  const auto [done, left] = cut(*uncut);
  if (!in_force) {
    // They are gone for now, and are cut once more when the broker refuses them.
    unproven_.insert(unproven_.end(), done.begin(), done.end());
    if (unproven_.size() > kUnprovenMax) unproven_.resize(kUnprovenMax);
    return in_force;
  }
  if (!left.empty()) return still_connected(left);
  return now >= probe_at_ ? try_broker() : in_force;
}

// Compares the file with the database and writes it where they differ, or where it ends too soon.
Expected<void> RevocationKeeper::bring_up_to_date() {
  const auto on_disk = file_.read();
  auto wanted = gather(on_disk);
  if (!wanted) return tl::unexpected(wanted.error());
  auto listed = on_disk ? on_disk->entries : std::vector<RevokedSerial>{};
  listed.erase(std::remove_if(listed.begin(), listed.end(), is_canary), listed.end());
  if (on_disk) ends_at_ = on_disk->next_update;
  const auto half = std::chrono::hours(24) * ports_.crl_days / 2;
  const bool lasts = on_disk && ends_at_ > ports_.now() + half;
  if (lasts && listed == *wanted && !needs_canary(*on_disk)) return {};
  return write(std::move(*wanted));
}

// The database's revocations, after it has learned what somebody else has put on the list.
Expected<std::vector<RevokedSerial>> RevocationKeeper::gather(const Expected<RevocationList>& on_disk) {
  auto known = ports_.store->revoked();
  if (!known) return tl::unexpected(known.error().with_context("cannot read what is revoked"));
  if (!on_disk) {
    spdlog::warn("revocation list: {}; writing it anew", on_disk.error().message);
    return known;
  }
  std::vector<RevokedSerial> foreign;
  std::set_difference(on_disk->entries.begin(), on_disk->entries.end(), known->begin(), known->end(),
                      std::back_inserter(foreign));
  foreign.erase(std::remove_if(foreign.begin(), foreign.end(), is_canary), foreign.end());
  if (foreign.empty()) return known;
  if (const auto adopted = ports_.store->adopt(foreign); !adopted) {
    return tl::unexpected(adopted.error().with_context("cannot note what the list holds"));
  }
  return ports_.store->revoked();
}

Expected<void> RevocationKeeper::write(std::vector<RevokedSerial> revoked) {
  const auto now = ports_.now();
  const auto life = std::chrono::hours(24) * ports_.crl_days;
  const auto canary = ports_.authority->make_canary(now, life);
  if (!canary) return tl::unexpected(canary.error());
  if (const auto before = file_.read(); before) {
    std::copy_if(before->entries.begin(), before->entries.end(), std::back_inserter(revoked),
                 [&](const RevokedSerial& entry) {
                   return is_canary(entry) && entry.revoked_at > now - kOldCanaryStays;
                 });
  }
  revoked.push_back({canary->serial, std::chrono::floor<std::chrono::seconds>(now)});
  std::sort(revoked.begin(), revoked.end());
  revoked.erase(std::unique(revoked.begin(), revoked.end()), revoked.end());
  const auto list = ports_.authority->sign_list(revoked, now, now + life);
  if (!list) return tl::unexpected(list.error());
  // The canary first: one that no list names is replaced, a list that no canary is known of proves nothing.
  auto written = canary_file_.replace(*canary);
  if (written) written = file_.replace(*list);
  if (!written) {
    written.error().outside = "cannot write the revocation list; the log says why";
    return written;
  }
  canary_ = *canary;
  ends_at_ = now + life;
  reload_due_ = true;
  spdlog::info("revocation list: written with {} entries",
               std::count_if(revoked.begin(), revoked.end(),
                             [](const RevokedSerial& entry) { return !is_canary(entry); }));
  return {};
}

// A broker that has the list is not told: at each reading it ends sessions (docs/decisions/0011).
Expected<void> RevocationKeeper::put_in_force() {
  probe_at_ = {};
  if (ports_.probe && ports_.probe(*canary_) == Visit::refused) return {};
  if (ports_.reload) {
    if (auto reloaded = ports_.reload(); !reloaded) return reloaded;
  }
  if (ports_.probe) return await_refusal();
  pause(ports_.reload ? kReloadTakes : 3 * kReloadTakes);
  return {};
}

Expected<void> RevocationKeeper::await_refusal() {
  const auto deadline = SteadyClock::now() + kInForceWithin;
  auto visit = Visit::welcome;
  while (visit != Visit::refused) {
    visit = ports_.probe(*canary_);
    if (visit == Visit::unreachable) return {};  // a broker that is away reads the list when it comes
    if (visit == Visit::welcome && (SteadyClock::now() >= deadline || !pause(kProbePause))) {
      return fleet::fail(
          ErrorKind::internal,
          "the broker accepts a REVOKED certificate: its list is not in force; test its crlfile");
    }
  }
  return {};
}

// Now and then, and after each change: the broker must refuse what is revoked and accept what is good.
Expected<void> RevocationKeeper::try_broker() {
  probe_at_ = SteadyClock::now() + kProbeEvery;
  if (!ports_.probe) return {};
  if (auto refused = await_refusal(); !refused) return refused;
  unproven_ = cut(unproven_).left;
  if (!unproven_.empty()) {
    probe_at_ = {};
    return still_connected(unproven_);
  }
  const auto good = ports_.authority->make_canary(ports_.now(), kGoodCanaryLife);
  if (!good) return tl::unexpected(good.error());
  const auto visit = ports_.probe(*good);
  if (visit == Visit::welcome) return {};
  probe_at_ = SteadyClock::now() + kLookEvery;
  return fleet::fail(ErrorKind::unavailable,
                     visit == Visit::refused ? "the broker refuses a good certificate: no device can connect"
                                             : "the devices' listener of the broker cannot be reached");
}

// A broker that does not answer costs seconds each time, so the rest waits for a later turn.
RevocationKeeper::Cut RevocationKeeper::cut(const std::vector<fleet::UncutDevice>& devices) {
  Cut cut;
  std::map<std::string, bool> ended = {
      {"", true}};  // of whom nothing but a serial is known has no name to cut
  bool answers = true;
  for (const auto& device : devices) {
    // Once each: a second cut would hit who has come instead.
    const auto [found, is_new] = ended.try_emplace(device.device_id, false);
    if (is_new) found->second = answers && !stopping_ && end_connection(device.device_id, answers);
    (found->second ? cut.done : cut.left).push_back(device);
  }
  if (cut.done.empty()) return cut;
  if (const auto marked = ports_.store->mark_cut(cut.done); !marked) {
    spdlog::debug("revocation: cannot note what was cut, it is repeated: {}", marked.error().message);
    return cut;
  }
  spdlog::info("revocation: {} identities that were taken back are out of use", cut.done.size());
  return cut;
}

// Whether the device is not connected any more; `answers`: whether the broker did.
bool RevocationKeeper::end_connection(const std::string& device_id, bool& answers) {
  if (!ports_.cut) return true;
  const auto visit = ports_.cut(device_id);
  answers = visit != Visit::unreachable;
  return visit == Visit::welcome;
}

bool RevocationKeeper::needs_canary(const RevocationList& on_disk) const {
  return !canary_ || std::none_of(on_disk.entries.begin(), on_disk.entries.end(),
                                  [&](const auto& entry) { return entry.serial == canary_->serial; });
}

void RevocationKeeper::note(const Expected<void>& outcome) {
  RevocationState state{ends_at_, {}};
  std::string logged;
  if (!outcome) {
    const auto& error = outcome.error();
    logged = error.message;
    state.problem = error.outside.empty() ? error.message : error.outside;
  }
  const auto left = ends_at_ - ports_.now();
  if (state.problem.empty() && left < std::chrono::hours(24) * ports_.crl_days / kAlarmPart) {
    state.problem = "the revocation list ends soon and is not renewed; then the broker refuses every device";
    logged = state.problem;
  }
  const std::lock_guard lock(mutex_);
  if (state.problem != state_.problem) {
    if (state.problem.empty()) {
      spdlog::info("revocation list: all is well again");
    } else {
      spdlog::error("revocation list: {}", logged);
    }
  }
  state_ = std::move(state);
}

// False when the keeper is to end.
bool RevocationKeeper::pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, time, [this] { return stopping_.load(); });
}

}  // namespace ota::bridge
