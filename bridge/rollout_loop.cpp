#include "bridge/rollout_loop.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "bridge/run_guarded.hpp"
#include "fleet/iso_time.hpp"
#include "fleet/strict_json.hpp"
#include "fleet/targeting.hpp"
#include "fleet/version.hpp"

namespace ota::bridge {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kTick = 1s;
// Other bridges finish attempts too, and time passes for those that soak.
constexpr auto kJudgeEvery = 10s;
constexpr int kDueMax = 500;
constexpr int kPageMax = 2000;
// Counting and judging a large fleet takes at most a twentieth of the time.
constexpr int kRestFactor = 20;
constexpr Clock::duration kCountRestMin = 30s;
constexpr auto kHouseEvery = 1h;
constexpr int kPruneMax = 10000;

const char* const kBy = "bridge";

}  // namespace

// Due devices that were handed in and not answered yet; shared with the replies, which may outlive the loop.
struct RolloutLoop::Outstanding {
  std::atomic<int> count{0};
};

RolloutLoop::RolloutLoop(Ports ports)
    : ports_(std::move(ports)), outstanding_(std::make_shared<Outstanding>()) {}
RolloutLoop::~RolloutLoop() {
  stop();
}

void RolloutLoop::start() {
  thread_ = std::thread([this] { run(); });
}

void RolloutLoop::stop() {
  stopping_ = true;
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void RolloutLoop::wake() {
  {
    const std::lock_guard lock(mutex_);
    if (woken_) return;
    woken_ = true;
  }
  changed_.notify_one();
}

void RolloutLoop::run() {
  Clock::time_point judge_at{};
  auto rested_at = Clock::now();
  while (!stopping_) {
    bool woken = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kTick, [&] { return stopping_ || (woken_ && Clock::now() >= rested_at); });
      woken = woken_;
    }
    if (stopping_) return;
    if (!ports_.leads()) {
      // Whoever leads in the meantime does all of this; what was seen before is of no use afterwards.
      open_.clear();
      counted_.clear();
      judge_at = {};
      continue;
    }
    const auto began = Clock::now();
    const bool judges = (woken && began >= rested_at) || began >= judge_at;
    if (judges) {
      const std::lock_guard lock(mutex_);
      woken_ = false;
    }
    run_guarded("rollout loop", [&] { turn(judges); });
    if (judges) {
      rested_at = Clock::now() + kRestFactor * (Clock::now() - began);
      judge_at = Clock::now() + kJudgeEvery;
    }
  }
}

void RolloutLoop::turn(bool judges) {
  const auto catalog = ports_.catalogs->catalog();
  follow_schedule(*catalog);
  watch_windows(*catalog);
  move_due_devices();
  if (judges) judge(*catalog);
  keep_house();
  if (changed_catalog_) {
    changed_catalog_ = false;
    ports_.refresh_catalog();
    wake();
  }
}

void RolloutLoop::follow_schedule(const fleet::Catalog& catalog) {
  for (const auto& rollout : catalog.rollouts()) {
    const auto command = fleet::scheduled_command(rollout, ports_.now());
    if (!command) continue;
    const bool starts = *command == fleet::RolloutCommand::start;
    const std::string why = (starts ? "start_at " : "end_at ") +
                            fleet::to_iso(starts ? *rollout.policy.start_at : *rollout.policy.end_at) +
                            " is reached";
    const auto done = ports_.control->order(rollout.id, {*command, kBy, why, false, {}});
    if (!done) {
      spdlog::warn("rollout {}: cannot {}: {}", rollout.id, to_string(*command), done.error().message);
      continue;
    }
    spdlog::info("rollout {} '{}': {} ({})", rollout.id, rollout.name, to_string(*command), why);
    changed_catalog_ = true;
  }
}

// Opening or closing changes what should be offered, so the model's devices are looked at. The first sight
// counts as a change: nobody may have been there when it happened.
void RolloutLoop::watch_windows(const fleet::Catalog& catalog) {
  for (const auto& rollout : catalog.rollouts()) {
    if (rollout.policy.windows.empty() || rollout.state != fleet::RolloutState::running) continue;
    const bool open = fleet::is_open(rollout.policy.windows, ports_.now(), ports_.local_clock);
    const auto seen = open_.find(rollout.id);
    if (seen != open_.end() && seen->second == open) continue;
    if (!ports_.control->request_push(rollout.model)) continue;
    open_[rollout.id] = open;
    changed_catalog_ = true;
    spdlog::info("rollout {} '{}': maintenance window is {}", rollout.id, rollout.name,
                 open ? "open" : "closed");
  }
}

// Timers take the same way as the devices' messages, so that they meet them in order.
void RolloutLoop::move_due_devices() {
  if (outstanding_->count > 0) return;
  const auto due = ports_.control->due_devices(ports_.now(), kDueMax);
  if (!due) return;
  outstanding_->count = static_cast<int>(due->size());
  for (const auto& [device_id, attempt_id] : *due) {
    fleet::Message message{device_id, fleet::Channel::internal, ports_.now(), fleet::Settle{}};
    if (attempt_id != 0) message.body = fleet::Expire{attempt_id};
    ports_.inbox->submit(std::move(message),
                         [outstanding = outstanding_](const auto&) { --outstanding->count; });
  }
  if (!due->empty()) spdlog::debug("rollouts: {} devices are due", due->size());
}

void RolloutLoop::judge(const fleet::Catalog& catalog) {
  std::vector<std::int64_t> running;
  for (const auto& rollout : catalog.rollouts()) {
    if (rollout.state == fleet::RolloutState::running) running.push_back(rollout.id);
  }
  if (running.empty()) return;
  const auto progress = ports_.control->progress(running);
  if (!progress) return spdlog::debug("rollouts: cannot read their progress: {}", progress.error().message);
  for (const auto& [id, figures] : *progress) {
    if (const auto* rollout = catalog.find_rollout(id)) judge_one(catalog, *rollout, figures);
  }
}

void RolloutLoop::judge_one(const fleet::Catalog& catalog, const fleet::Rollout& rollout,
                            fleet::RolloutProgress progress) {
  // An old count is as good as none where a stage waits for devices.
  if (is_count_due(rollout)) progress.due_devices.reset();
  auto verdict = fleet::evaluate(rollout, progress, ports_.now());
  const bool needed = std::holds_alternative<fleet::Count>(verdict);
  const auto counted = counted_.find(rollout.id);
  const bool first =
      !progress.due_devices && (counted == counted_.end() || counted->second.stage != rollout.stage);
  if (needed || first) {
    if (!count_due_devices(catalog, rollout, progress)) return;
    verdict = fleet::evaluate(rollout, progress, ports_.now());
  }
  if (const auto* found = std::get_if<fleet::Halt>(&verdict)) return halt(rollout, *found);
  if (const auto* advance = std::get_if<fleet::Advance>(&verdict)) {
    const auto done = ports_.control->advance({rollout.id, rollout.stage, *advance});
    if (!done) return spdlog::warn("rollout {}: cannot advance: {}", rollout.id, done.error().message);
    spdlog::info("rollout {} '{}': {} % now ({})", rollout.id, rollout.name, advance->percentage,
                 advance->why);
    changed_catalog_ = true;
  }
}

void RolloutLoop::halt(const fleet::Rollout& rollout, const fleet::Halt& halt) {
  auto failures = ports_.control->recent_failures(rollout.id);
  if (!failures) return;
  const auto order_of = [&](fleet::RolloutCommand command, const std::string& why) {
    const fleet::JsonValue halted{fleet::JsonValue::Object{{"why", {why}},
                                                           {"action", {std::string(to_string(command))}},
                                                           {"at", {fleet::to_iso(ports_.now())}},
                                                           {"devices", *failures}}};
    return fleet::RolloutOrder{command, kBy, why, false, fleet::to_json(halted)};
  };
  auto command = halt.action;
  auto done = ports_.control->order(rollout.id, order_of(command, halt.why));
  if (!done && done.error().kind == fleet::ErrorKind::conflict) {
    // What cannot be taken back by itself must at least not go on.
    command = fleet::RolloutCommand::pause;
    done = ports_.control->order(rollout.id, order_of(command, halt.why + "; " + done.error().message));
  }
  if (!done) return spdlog::warn("rollout {}: cannot halt: {}", rollout.id, done.error().message);
  spdlog::warn("rollout {} '{}' halted ({}): {}", rollout.id, rollout.name, to_string(command), halt.why);
  changed_catalog_ = true;
}

bool RolloutLoop::is_count_due(const fleet::Rollout& rollout) const {
  const auto counted = counted_.find(rollout.id);
  return counted == counted_.end() || counted->second.stage != rollout.stage ||
         Clock::now() >= counted->second.again_at;
}

// How many devices the rollout would still reach in its present stage, by the one implementation of that
// question.
bool RolloutLoop::count_due_devices(const fleet::Catalog& catalog, const fleet::Rollout& rollout,
                                    fleet::RolloutProgress& progress) {
  const auto began = Clock::now();
  const fleet::Circumstances circumstances{ports_.sha256, ports_.now(), ports_.local_clock};
  auto whole = rollout;
  if (!whole.policy.stages.empty()) whole.target.percentage = whole.policy.stages.back().percentage;
  std::int64_t due = 0;
  std::int64_t to_come = 0;
  std::string after;
  while (!stopping_) {
    const auto page = ports_.devices->page_of_devices(rollout.model, after, kPageMax);
    if (!page) return false;
    for (const auto& device : *page) {
      if (fleet::is_due(device, rollout, fleet::decide(device, catalog, circumstances))) ++due;
      const bool is_of_it = fleet::membership_of(device, whole, ports_.sha256) == fleet::Membership::in;
      if (is_of_it && fleet::compare_versions(device.version, rollout.version) != fleet::Order::same)
        ++to_come;
    }
    if (page->size() < static_cast<std::size_t>(kPageMax)) break;
    after = page->back().id;
  }
  progress.due_devices = due;
  progress.devices_to_come = to_come;
  counted_[rollout.id] = {rollout.stage,
                          Clock::now() + std::max(kCountRestMin, kRestFactor * (Clock::now() - began))};
  return ports_.control->note_stage_devices(rollout.id, progress.started + due).has_value();
}

void RolloutLoop::keep_house() {
  if (Clock::now() < house_at_) return;
  house_at_ = Clock::now() + kHouseEvery;
  ports_.sweep_images();
  if (ports_.events_keep_days == 0) return;
  const auto older_than = ports_.now() - std::chrono::hours(24) * ports_.events_keep_days;
  const auto pruned = ports_.control->prune_events(older_than, kPruneMax);
  if (!pruned) return spdlog::warn("events: cannot remove old ones: {}", pruned.error().message);
  if (*pruned > 0) spdlog::info("events: {} older than {} days removed", *pruned, ports_.events_keep_days);
  if (*pruned == kPruneMax) house_at_ = Clock::now() + kTick;
}

}  // namespace ota::bridge
