#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "bridge/catalog_cache.hpp"
#include "bridge/config.hpp"
#include "bridge/device_desk.hpp"
#include "bridge/monitor_loop.hpp"
#include "bridge/mqtt_link.hpp"
#include "bridge/offer_publisher.hpp"
#include "bridge/push_loop.hpp"
#include "bridge/refusals.hpp"
#include "fleet/ports/admin_store.hpp"
#include "topics/names.hpp"

namespace ota::bridge {

/// Everything of the bridge that has to do with the broker: the link and its subscriptions, the device desk,
/// the offers' publisher, and the leader's loops.
class BrokerSide {
 public:
  struct Ports {
    fleet::FrontDesk* inbox = nullptr;
    CatalogCache* catalogs = nullptr;
    fleet::FleetReader* reader = nullptr;
    Refusals* refusals = nullptr;
    const fleet::DownloadUrls* urls = nullptr;
    std::unique_ptr<fleet::PushStore> marks;
    std::unique_ptr<fleet::PushStore> push;
    std::unique_ptr<fleet::ReconcileStore> reconcile;
    std::unique_ptr<fleet::MonitorStore> monitor;
    std::function<bool()> leads;
    std::function<fleet::Time()> now;
    fleet::DeviceRate* rate = nullptr;
    fleet::Sha256 sha256 = nullptr;
    fleet::LocalClock local_clock = nullptr;
  };

  BrokerSide(const Config& config, topics::Names names, Ports ports);

  void start();
  /// No more pushing; answers still go out.
  void stop_leading();
  /// After the inbox has ended: the last answers go out, the service topic says offline.
  void stop();

  /// disconnected, comparing or connected, as /health says it.
  [[nodiscard]] const char* state();
  void publish_offer(const fleet::Device& device) { publisher_.publish(device); }
  void turned_away(std::int64_t rollout_id, const fleet::Device& device) {
    push_.turned_away(rollout_id, device);
  }
  /// Clears the retained offer of a device that is no more.
  void forget_device(const std::string& device_id) { publisher_.forget(device_id); }
  void leadership_changed(bool leads);
  void catalog_changed();
  void events_written() { monitor_.wake(); }

 private:
  bool subscribe();
  void announce(std::int64_t reading = 0);
  void take(const Incoming& incoming);
  void watch_drops(const std::string& payload);

  const std::string replica_;
  const std::string share_prefix_;
  const topics::Names names_;
  Refusals* refusals_;
  MqttLink link_;
  OfferPublisher publisher_;
  DeviceDesk desk_;
  PushLoop push_;
  MonitorLoop monitor_;
  const std::function<bool()> leads_;
  // Numbers the markers, so that no earlier announcement is taken for one: not even the retained one of a
  // process before. Hence it begins at the time.
  std::atomic<std::int64_t> readings_;
  std::atomic<bool> subscribed_{false};
  std::string drops_;  // receive thread only
};

}  // namespace ota::bridge
