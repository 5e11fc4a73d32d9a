#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "bridge/mqtt_link.hpp"
#include "fleet/ports/admin_store.hpp"
#include "fleet/ports/monitor_store.hpp"
#include "topics/names.hpp"

namespace ota::bridge {

/// The leader's word to monitors: every committed event at least once, the fleet summary and each rollout's
/// figures on change, at most once a second.
class MonitorLoop {
 public:
  struct Ports {
    std::unique_ptr<fleet::MonitorStore> store;
    fleet::FleetReader* reader = nullptr;
    MqttLink* link = nullptr;
    const topics::Names* names = nullptr;
    std::function<bool()> leads;
  };

  explicit MonitorLoop(Ports ports);
  ~MonitorLoop();
  void start();
  void stop();

  /// Something was recorded that monitors may want to see. Cheap, thread safe.
  void wake();
  /// The broker may have forgotten the retained figures: they are published again.
  void republish();

 private:
  void run();
  void turn(std::chrono::steady_clock::duration& rest);
  bool publish_events();
  void publish_figures();
  void publish_changed(const std::string& topic, std::string payload);

  Ports ports_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = true;
  std::map<std::string, std::string> last_;  // what stands on each topic; one entry per rollout shown
  std::atomic<bool> republish_{true};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace ota::bridge
