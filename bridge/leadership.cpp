#include "bridge/leadership.hpp"

#include <spdlog/spdlog.h>

#include <chrono>

#include "bridge/run_guarded.hpp"

namespace ota::bridge {

Leadership::Leadership(std::unique_ptr<fleet::LeaderLock> lock, std::function<void(bool)> changed)
    : lock_(std::move(lock)), changed_(std::move(changed)) {}

Leadership::~Leadership() {
  stop();
}

void Leadership::start() {
  holder_ = std::thread([this] { hold(); });
}

void Leadership::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_requested_.notify_all();
  if (holder_.joinable()) holder_.join();
}

void Leadership::hold() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    run_guarded("leadership", [this] { look(); });
    lock.lock();
    stop_requested_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_; });
  }
}

void Leadership::look() {
  const bool now_leads = lock_->try_lead();
  if (leads_.exchange(now_leads) == now_leads) return;
  spdlog::info(now_leads ? "leader: this bridge leads" : "leader: this bridge does not lead any more");
  changed_(now_leads);
}

}  // namespace ota::bridge
