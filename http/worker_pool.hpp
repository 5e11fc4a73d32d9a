#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "http/connection.hpp"
#include "http/lanes.hpp"

namespace ota::http {

/// Threads that serve requests, made on demand and ended after idling. Every lane has its own share, so slow
/// downloads or a database that hangs leave the others room. Thread safe.
class WorkerPool {
 public:
  struct Job {
    std::unique_ptr<Connection> connection;
    Lane lane = Lane::admin;
    Connection::Clock::time_point submitted_at{};
  };
  /// Serves one job, on a worker's thread.
  using Serve = std::function<void(Job job)>;

  WorkerPool(const LaneLimits& limits, Serve serve);
  ~WorkerPool();

  /// Answers the job back when its lane is full, or stopping; nullptr connection: taken.
  [[nodiscard]] Job submit(Job job);

  /// Drops what waits, and waits up to `wait` for running jobs; answers whether none is left.
  [[nodiscard]] bool stop(std::chrono::milliseconds wait);

  [[nodiscard]] int running(Lane lane) const;
  /// Whether a job waits for one of the lane's threads.
  [[nodiscard]] bool has_waiting(Lane lane) const;

 private:
  struct LaneState {
    LaneLimit limit;
    int running = 0;
    std::deque<Job> waiting;
  };

  void work();
  [[nodiscard]] LaneState& state_of(Lane lane) { return lanes_[static_cast<std::size_t>(lane)]; }
  void start_thread();

  const Serve serve_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable ended_;
  std::array<LaneState, kLanes> lanes_;
  std::deque<Job> ready_;  // counted as running already
  std::size_t idle_ = 0;
  std::size_t threads_ = 0;
  bool stopping_ = false;
};

}  // namespace ota::http
