#include "http/worker_pool.hpp"

#include <spdlog/spdlog.h>

#include <system_error>
#include <thread>

namespace ota::http {
namespace {

constexpr std::chrono::seconds kIdleThreadEndsAfter{10};

}  // namespace

WorkerPool::WorkerPool(const LaneLimits& limits, Serve serve) : serve_(std::move(serve)) {
  for (std::size_t i = 0; i < limits.size(); ++i) lanes_[i].limit = limits[i];
}

WorkerPool::~WorkerPool() {
  // The threads are detached and use this object: nothing may end before them.
  while (!stop(std::chrono::seconds(1))) spdlog::warn("http: waiting for requests under way");
}

WorkerPool::Job WorkerPool::submit(Job job) {
  job.submitted_at = Connection::Clock::now();
  const std::lock_guard lock(mutex_);
  auto& lane = state_of(job.lane);
  if (stopping_) return job;
  if (lane.running >= lane.limit.running_max) {
    if (lane.waiting.size() >= lane.limit.waiting_max) return job;
    lane.waiting.push_back(std::move(job));
    return {};
  }
  ++lane.running;
  ready_.push_back(std::move(job));
  if (ready_.size() > idle_) start_thread();
  wake_.notify_one();
  return {};
}

// Called with the lock held. Where no thread can be made, the job waits for one that is there.
void WorkerPool::start_thread() {
  try {
    std::thread([this] { work(); }).detach();
    ++threads_;
  } catch (const std::system_error& error) {
    spdlog::warn("http: cannot start another thread: {}", error.what());
  }
}

void WorkerPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    if (ready_.empty()) {
      ++idle_;
      const bool woken =
          wake_.wait_for(lock, kIdleThreadEndsAfter, [this] { return stopping_ || !ready_.empty(); });
      --idle_;
      if (ready_.empty() && (stopping_ || !woken)) break;
      if (ready_.empty()) continue;
    }
    Job job = std::move(ready_.front());
    ready_.pop_front();
    auto& lane = state_of(job.lane);
    lock.unlock();
    serve_(std::move(job));
    lock.lock();
    if (lane.waiting.empty()) {
      --lane.running;
    } else {
      ready_.push_back(std::move(lane.waiting.front()));
      lane.waiting.pop_front();
    }
  }
  --threads_;
  ended_.notify_all();
}

bool WorkerPool::stop(std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  for (auto& lane : lanes_) lane.waiting.clear();
  wake_.notify_all();
  return ended_.wait_for(lock, wait, [this] { return threads_ == 0; });
}

int WorkerPool::running(Lane lane) const {
  const std::lock_guard lock(mutex_);
  return lanes_[static_cast<std::size_t>(lane)].running;
}

bool WorkerPool::has_waiting(Lane lane) const {
  const std::lock_guard lock(mutex_);
  return !lanes_[static_cast<std::size_t>(lane)].waiting.empty();
}

}  // namespace ota::http
