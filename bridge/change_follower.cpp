#include "bridge/change_follower.hpp"

#include <utility>

#include "bridge/run_guarded.hpp"

namespace ota::bridge {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kRefreshEvery = 60s;
constexpr int kWaitMs = 1000;

}  // namespace

ChangeFollower::ChangeFollower(std::unique_ptr<fleet::ChangeListener> listener,
                               std::vector<Followed> followed)
    : listener_(std::move(listener)), followed_(std::move(followed)) {}

ChangeFollower::~ChangeFollower() {
  stop();
}

void ChangeFollower::start() {
  thread_ = std::thread([this] { follow(); });
}

void ChangeFollower::stop() {
  stopping_ = true;
  listener_->wake();
  if (thread_.joinable()) thread_.join();
}

void ChangeFollower::follow() {
  while (!stopping_) run_guarded("change follower", [this] { turn(); });
}

void ChangeFollower::turn() {
  refresh_due();
  const auto heard = listener_->wait(kWaitMs);
  if (!heard) {
    std::this_thread::sleep_for(200ms);  // the database is away; it is asked again shortly
    return;
  }
  for (auto& one : followed_) one.due = one.due || (*heard).*(one.kind);
}

void ChangeFollower::refresh_due() {
  for (auto& one : followed_) {
    const auto began_at = Clock::now();
    if (!one.due && began_at - one.refreshed_at < kRefreshEvery) continue;
    one.due = !one.refresh();
    if (!one.due) one.refreshed_at = began_at;
  }
}

}  // namespace ota::bridge
