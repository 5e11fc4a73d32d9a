#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "fleet/ports/monitor_store.hpp"

namespace ota::bridge {

/// Keeps what this process holds of the database fresh: on a thread of its own it hears of changes and has
/// what they concern loaded again; also when the connection is new, and every 60 s.
class ChangeFollower {
 public:
  struct Followed {
    bool fleet::ChangeListener::Heard::*kind = nullptr;  ///< the changes that concern it
    std::function<bool()> refresh;                       ///< false: to be tried again shortly
    bool due = true;
    std::chrono::steady_clock::time_point refreshed_at{};
  };

  ChangeFollower(std::unique_ptr<fleet::ChangeListener> listener, std::vector<Followed> followed);
  ~ChangeFollower();

  void start();
  void stop();

 private:
  void follow();
  void turn();
  void refresh_due();

  std::unique_ptr<fleet::ChangeListener> listener_;
  std::vector<Followed> followed_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace ota::bridge
