#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "fleet/ports/monitor_store.hpp"

namespace ota::bridge {

/// Whether this process leads: one of several bridges pushes, reconciles and tells monitors. Held by an
/// advisory lock, looked at every second, so a dead leader is followed within about that.
class Leadership {
 public:
  Leadership(std::unique_ptr<fleet::LeaderLock> lock, std::function<void(bool leads)> changed);
  ~Leadership();
  void start();
  void stop();
  [[nodiscard]] bool leads() const { return leads_; }

 private:
  void hold();
  void look();

  std::unique_ptr<fleet::LeaderLock> lock_;
  std::function<void(bool)> changed_;
  std::atomic<bool> leads_{false};
  std::mutex mutex_;
  std::condition_variable stop_requested_;
  bool stopping_ = false;
  std::thread holder_;
};

}  // namespace ota::bridge
