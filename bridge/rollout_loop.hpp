#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "fleet/decide.hpp"
#include "fleet/ports/device_store.hpp"
#include "fleet/ports/front_desk.hpp"
#include "fleet/ports/rollout_control.hpp"

namespace ota::bridge {

/// The leader's clock: starts and ends rollouts by their schedule, opens and closes their windows, sees
/// attempts time out and pauses pass, moves rollouts from stage to stage and halts those that fail. All of it
/// is worked out from the database, so a restart loses nothing.
class RolloutLoop {
 public:
  struct Ports {
    std::unique_ptr<fleet::RolloutControl> control;
    fleet::DeviceStore* devices = nullptr;
    fleet::FrontDesk* inbox = nullptr;
    const fleet::CatalogSource* catalogs = nullptr;
    fleet::Sha256 sha256 = nullptr;
    fleet::LocalClock local_clock = nullptr;
    std::function<bool()> leads;
    std::function<fleet::Time()> now;
    std::function<void()> refresh_catalog;
    std::function<void()> sweep_images;
    int events_keep_days = 400;
  };

  explicit RolloutLoop(Ports ports);
  ~RolloutLoop();
  void start();
  void stop();

  /// Attempts have finished or rollouts have changed: they are judged soon. Thread safe.
  void wake();

  /// One turn; `judges`: whether progress is looked at too. For the loop itself and for tests, on one thread.
  void turn(bool judges);

 private:
  struct Counted {
    int stage = -1;
    std::chrono::steady_clock::time_point again_at{};
  };
  struct Outstanding;

  void run();
  void follow_schedule(const fleet::Catalog& catalog);
  void watch_windows(const fleet::Catalog& catalog);
  void move_due_devices();
  void judge(const fleet::Catalog& catalog);
  void judge_one(const fleet::Catalog& catalog, const fleet::Rollout& rollout,
                 fleet::RolloutProgress progress);
  void halt(const fleet::Rollout& rollout, const fleet::Halt& halt);
  bool is_count_due(const fleet::Rollout& rollout) const;
  bool count_due_devices(const fleet::Catalog& catalog, const fleet::Rollout& rollout,
                         fleet::RolloutProgress& progress);
  void keep_house();

  Ports ports_;
  std::map<std::int64_t, bool> open_;        // rollouts with windows, as last seen
  std::map<std::int64_t, Counted> counted_;  // by rollout
  std::chrono::steady_clock::time_point house_at_{};
  std::shared_ptr<Outstanding> outstanding_;
  bool changed_catalog_ = false;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace ota::bridge
