#include "bridge/push_loop.hpp"

#include <spdlog/spdlog.h>

#include <chrono>
#include <set>
#include <utility>

#include "bridge/run_guarded.hpp"
#include "fleet/decide.hpp"
#include "fleet/device_flow.hpp"

namespace ota::bridge {
namespace {

using namespace std::chrono_literals;

constexpr int kPageMax = 500;
// Pushing waits while so many publications are unacknowledged, so that answers to checks do not queue behind
// a push.
constexpr std::size_t kBacklogMax = 1000;
constexpr auto kTick = 1s;
// An answer's own publication has this long to be acknowledged and noted before it counts as lost.
constexpr auto kDueAfter = 5s;
constexpr std::size_t kSeenMax = 200000;
constexpr auto kReadingMax = 60s;
// How often a bridge that does not lead passes on what it had to turn away.
constexpr auto kHandOverPause = 30s;
// Above every device id: the end of a model's pages was reached.
constexpr auto kEnd = "\x7f";

}  // namespace

PushLoop::PushLoop(Ports ports) : ports_(std::move(ports)) {}
PushLoop::~PushLoop() {
  stop();
}

void PushLoop::start() {
  thread_ = std::thread([this] { run(); });
}

void PushLoop::stop() {
  stopping_ = true;
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void PushLoop::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

void PushLoop::reconcile() {
  {
    const std::lock_guard lock(mutex_);
    reconcile_due_ = true;
    comparing_ = true;
  }
  changed_.notify_all();
}

bool PushLoop::is_comparing() {
  const std::lock_guard lock(mutex_);
  return comparing_;
}

void PushLoop::saw_retained(const std::string& device_id, std::int64_t attempt_id) {
  const std::lock_guard lock(mutex_);
  // Beyond the bound an offer counts as missing and is published once more; a stale one there stays until the
  // next comparison.
  if (seen_.size() < kSeenMax) seen_.push_back({device_id, attempt_id});
}

void PushLoop::saw_all_retained() {
  {
    const std::lock_guard lock(mutex_);
    all_seen_ = true;
  }
  changed_.notify_all();
}

void PushLoop::run() {
  while (!stopping_) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kTick,
                        [this] { return stopping_ || woken_ || (reconcile_due_ && ports_.can_read()); });
      woken_ = false;
    }
    run_guarded("push loop", [this] { turn(); });
  }
}

void PushLoop::turn() {
  if (stopping_ || !ports_.leads()) return follow();
  if (!rates_known_) rates_known_ = begin_where_rates_stopped();
  compare_if_due();
  const auto requests = ports_.store->open_requests();
  if (!requests) {
    spdlog::debug("push: cannot read the requests: {}", requests.error().message);
    return;
  }
  if (!requests->empty() && ports_.refresh_catalog()) {
    for (const auto& request : *requests) push_model(request);
  }
  go_on_where_rates_stopped();
  publish_due();
}

// A turn of a bridge that does not lead. Taking the lead compares and begins anyway.
void PushLoop::follow() {
  compared_ = rates_known_ = false;
  {
    const std::lock_guard lock(mutex_);
    reconcile_due_ = comparing_ = false;
  }
  hand_over_waiting();
}

void PushLoop::compare_if_due() {
  {
    const std::lock_guard lock(mutex_);
    if ((compared_ && !reconcile_due_) || !ports_.can_read()) return;
    reconcile_due_ = false;
  }
  compared_ = read_retained();
  if (!compared_) return;
  compare_with_truth();
  const std::lock_guard lock(mutex_);
  comparing_ = reconcile_due_;
}

void PushLoop::wait_at(std::int64_t rollout_id, const std::string& model, const std::string& after) {
  const std::lock_guard lock(mutex_);
  const auto [waiting, is_new] = waiting_.try_emplace(rollout_id, Waiting{model, after});
  if (!is_new && after < waiting->second.after) waiting->second = {model, after};
}

void PushLoop::turned_away(std::int64_t rollout_id, const fleet::Device& device) {
  // The id without its last character is below the id, which is all that `after` needs.
  wait_at(rollout_id, device.model, device.id.substr(0, device.id.size() - 1));
}

// Where another leader, or an earlier process, had got to with a rate nobody knows: it is found from the
// start.
bool PushLoop::begin_where_rates_stopped() {
  if (!ports_.refresh_catalog()) return false;
  for (const auto& rollout : ports_.catalogs->catalog()->rollouts()) {
    if (rollout.state == fleet::RolloutState::running && rollout.policy.rate.is_limited())
      wait_at(rollout.id, rollout.model, "");
  }
  return true;
}

// Who leads cannot know whom this bridge turned away; a request has it walk their models.
void PushLoop::hand_over_waiting() {
  const auto now = std::chrono::steady_clock::now();
  if (now < hand_over_at_) return;
  std::set<std::string> models;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [rollout_id, from] : waiting_) models.insert(from.model);
    waiting_.clear();
  }
  if (models.empty()) return;
  hand_over_at_ = now + kHandOverPause;
  for (const auto& model : models) {
    if (const auto requested = ports_.store->request_push(model); !requested)
      spdlog::debug("push: cannot ask for a walk of {}: {}", model, requested.error().message);
  }
}

// A rollout's rate stopped its push at some device; when others have finished it goes on from there.
void PushLoop::go_on_where_rates_stopped() {
  std::map<std::int64_t, Waiting> waiting;
  {
    const std::lock_guard lock(mutex_);
    waiting.swap(waiting_);
  }
  const auto catalog = ports_.catalogs->catalog();
  for (auto& [rollout_id, from] : waiting) {
    const auto* rollout = catalog->find_rollout(rollout_id);
    if (rollout == nullptr || rollout->state != fleet::RolloutState::running) continue;
    const auto free = ports_.store->free_slots(rollout_id, rollout->policy.rate);
    const auto is_waiting = [this, id = rollout_id] {
      const std::lock_guard lock(mutex_);
      return waiting_.count(id) > 0;
    };
    if (!free || *free == 0) {
      wait_at(rollout_id, from.model, from.after);
      continue;
    }
    while (push_page(from.model, from.after) && !is_waiting() && !stopping_ && ports_.leads()) {
    }
    if (from.after != kEnd && !is_waiting()) wait_at(rollout_id, from.model, from.after);
  }
}

void PushLoop::push_model(const fleet::PushRequest& request) {
  std::string after;
  while (push_page(request.model, after)) {
    if (stopping_ || !ports_.leads()) return;
  }
  if (after != kEnd) return;
  if (const auto done = ports_.store->finish_request(request); !done) {
    spdlog::warn("push: {} is worked out but not noted, it will be repeated: {}", request.model,
                 done.error().message);
  }
}

// One page: load, decide, save, and only then publish. Answers whether there is another; `after` becomes
// kEnd when there is none.
bool PushLoop::push_page(const std::string& model, std::string& after) {
  const auto devices = ports_.store->load_page(model, after, kPageMax);
  if (!devices) {
    spdlog::warn("push: cannot load devices of {}: {}", model, devices.error().message);
    return false;
  }
  fleet::SlotBudget slots([this](std::int64_t rollout_id, const fleet::PushRate& rate) {
    return ports_.store->free_slots(rollout_id, rate);
  });
  const fleet::FlowContext context{ports_.catalogs->catalog(),
                                   {ports_.sha256, ports_.now(), ports_.local_clock},
                                   [this] { return ports_.store->next_attempt_id(); },
                                   &slots};
  fleet::BatchChanges changes;
  std::vector<fleet::Device> changed;
  std::string before = after;
  for (const auto& device : *devices) {
    fleet::DeviceWork work;
    work.device = device;
    const auto settled = fleet::settle_offer(work, context);
    const auto* none = settled ? std::get_if<fleet::NoUpdate>(&*settled) : nullptr;
    if (none != nullptr && none->reason == fleet::Reason::waits_its_turn)
      wait_at(none->rollout->id, model, before);
    before = device.id;
    if (!settled || !work.offer_changed) continue;
    fleet::add_changes(work, context.now(), changes);
    changed.push_back(std::move(work.device));
  }
  if (const auto saved = ports_.store->save_page(changes); !saved) {
    spdlog::warn("push: cannot save offers of {}: {}", model, saved.error().message);
    return false;
  }
  for (const auto& device : changed) ports_.publisher->publish(device);
  if (!changed.empty()) spdlog::debug("push: {} offers of {} changed", changed.size(), model);
  pace(changed.size());
  const bool is_last = devices->size() < static_cast<std::size_t>(kPageMax);
  after = is_last ? std::string(kEnd) : devices->back().id;
  return !is_last;
}

void PushLoop::publish_due() {
  if (!ports_.link->is_connected()) return;
  std::string after;
  while (!stopping_) {
    const auto due = ports_.store->unpublished(ports_.now() - kDueAfter, after, kPageMax);
    if (!due || due->empty()) return;
    for (const auto& wanted : *due) {
      fleet::Device device;
      device.id = wanted.device_id;
      device.version = wanted.device_version;
      device.on_mqtt = true;
      device.offer = wanted.offer;
      ports_.publisher->publish(device);
    }
    spdlog::info("push: {} offers were due and are published again", due->size());
    pace(due->size());
    after = due->back().device_id;
    if (due->size() < static_cast<std::size_t>(kPageMax)) return;
  }
}

// Live messages of these devices come twice meanwhile, as QoS 1 allows.
std::vector<Subscription> PushLoop::to_read() const {
  std::vector<Subscription> readings = {{ports_.names->every_device(topics::DeviceTopic::offer), true}};
  if (!ports_.is_shared) return readings;
  for (const auto kind :
       {topics::DeviceTopic::check, topics::DeviceTopic::status, topics::DeviceTopic::presence})
    readings.push_back({ports_.names->every_device(kind), false, true});
  return readings;
}

// Subscribing makes the broker deliver every retained offer; the marker comes back after the last of them.
bool PushLoop::read_retained() {
  {
    const std::lock_guard lock(mutex_);
    seen_.clear();
    all_seen_ = false;
  }
  if (!ports_.reconcile->begin_reading()) return false;
  const auto readings = to_read();
  for (const auto& reading : readings) {
    if (!ports_.link->subscribe(reading)) return false;
  }
  ports_.send_marker();

  const auto deadline = std::chrono::steady_clock::now() + kReadingMax;
  bool complete = false;
  while (!complete && !stopping_ && ports_.can_read() && std::chrono::steady_clock::now() < deadline) {
    std::vector<fleet::RetainedOffer> seen;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, 100ms, [this] { return stopping_ || all_seen_; });
      complete = all_seen_;
      seen.swap(seen_);
    }
    if (!seen.empty() && !ports_.reconcile->add_seen(seen)) break;
  }
  for (const auto& reading : readings) ports_.link->unsubscribe(reading.filter);
  if (!complete)
    spdlog::warn("push: the broker's retained offers could not be read to the end; trying again");
  return complete;
}

void PushLoop::compare_with_truth() {
  const auto missing = ports_.reconcile->mark_missing();
  if (!missing) return reconcile();
  std::size_t cleared = 0;
  std::string after;
  while (!stopping_) {
    const auto asked_at = OfferPublisher::Clock::now();
    const auto stale = ports_.reconcile->stale(after, kPageMax);
    if (!stale) return reconcile();
    for (const auto& device_id : *stale) ports_.publisher->clear(device_id, asked_at);
    cleared += stale->size();
    pace(stale->size());
    if (stale->size() < static_cast<std::size_t>(kPageMax)) break;
    after = stale->back();
  }
  spdlog::info("push: broker compared with the database: {} offers missing, {} cleared", *missing, cleared);
}

void PushLoop::pace(std::size_t published) {
  if (ports_.per_second_max > 0 && published > 0) {
    const auto pause =
        std::chrono::milliseconds(1000 * published / static_cast<std::size_t>(ports_.per_second_max));
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, pause, [this] { return stopping_.load(); });
  }
  while (!stopping_ && ports_.link->backlog() > kBacklogMax) std::this_thread::sleep_for(2ms);
}

}  // namespace ota::bridge
