#include "bridge/monitor_loop.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "bridge/run_guarded.hpp"
#include "topics/payloads.hpp"

namespace ota::bridge {
namespace {

using namespace std::chrono_literals;

constexpr int kEventsMax = 500;
constexpr auto kFiguresEvery = 1s;
// Devices, other bridges and people with psql change things without a wake; while nothing was committed a
// look costs next to nothing (sql/counted.hpp).
constexpr auto kIdleEvery = 1s;
constexpr auto kAckWaitMax = 10s;
// Counting a large fleet may take long; it takes at most a twentieth of the time.
constexpr int kRestFactor = 20;

// Waits for a number of acknowledgements; shared with the callbacks, which may outlive the wait.
struct Acknowledgements {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t outstanding = 0;
  bool all_good = true;
};

}  // namespace

MonitorLoop::MonitorLoop(Ports ports) : ports_(std::move(ports)) {}
MonitorLoop::~MonitorLoop() {
  stop();
}

void MonitorLoop::start() {
  thread_ = std::thread([this] { run(); });
}

void MonitorLoop::stop() {
  stopping_ = true;
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void MonitorLoop::wake() {
  {
    const std::lock_guard lock(mutex_);
    if (woken_) return;
    woken_ = true;
  }
  changed_.notify_one();
}

void MonitorLoop::republish() {
  republish_ = true;
  wake();
}

void MonitorLoop::run() {
  auto rest = std::chrono::steady_clock::duration(kFiguresEvery);
  while (!stopping_) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kIdleEvery, [this] { return stopping_ || woken_; });
      woken_ = false;
    }
    if (stopping_) return;
    run_guarded("monitor loop", [&] { turn(rest); });
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, rest, [this] { return stopping_.load(); });
  }
}

// `rest`: how long to wait before the next one.
void MonitorLoop::turn(std::chrono::steady_clock::duration& rest) {
  if (!ports_.leads() || !ports_.link->is_connected()) {
    republish_ = true;
    return;
  }
  while (publish_events() && !stopping_) {
  }
  const auto began = std::chrono::steady_clock::now();
  publish_figures();
  rest = std::max<std::chrono::steady_clock::duration>(
      kFiguresEvery, kRestFactor * (std::chrono::steady_clock::now() - began));
}

// Publishes the next events and moves the cursor once the broker has all of them. Answers whether there may
// be more.
bool MonitorLoop::publish_events() {
  const auto events = ports_.store->next_events(kEventsMax);
  if (!events || events->empty()) return false;
  auto acks = std::make_shared<Acknowledgements>();
  acks->outstanding = events->size();
  for (const auto& event : *events) {
    ports_.link->publish(ports_.names->event(), topics::encode_event(event), false,
                         [acks](bool acknowledged) {
                           const std::lock_guard lock(acks->mutex);
                           --acks->outstanding;
                           acks->all_good = acks->all_good && acknowledged;
                           if (acks->outstanding == 0) acks->changed.notify_all();
                         });
  }
  {
    std::unique_lock lock(acks->mutex);
    acks->changed.wait_for(lock, kAckWaitMax, [&] { return acks->outstanding == 0; });
    if (acks->outstanding > 0 || !acks->all_good)
      return false;  // they are published again later: at least once
  }
  const auto noted = ports_.store->events_published(events->back().cursor);
  return noted && events->size() == static_cast<std::size_t>(kEventsMax);
}

void MonitorLoop::publish_figures() {
  if (republish_.exchange(false)) last_.clear();
  if (const auto summary = ports_.reader->summary()) {
    publish_changed(ports_.names->summary(), topics::encode_summary(*summary));
  }
  const auto rollouts = ports_.store->rollout_figures();
  if (!rollouts) return;
  for (const auto& rollout : *rollouts) {
    publish_changed(ports_.names->rollout(rollout.id), topics::encode_rollout(rollout));
  }
}

void MonitorLoop::publish_changed(const std::string& topic, std::string payload) {
  auto& last = last_[topic];
  if (last == payload) return;
  last = payload;
  ports_.link->publish(topic, std::move(payload), true, [this](bool acknowledged) {
    if (!acknowledged) republish_ = true;
  });
}

}  // namespace ota::bridge
