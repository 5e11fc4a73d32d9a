#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bridge/mqtt_link.hpp"
#include "bridge/recent_offers.hpp"
#include "fleet/device.hpp"
#include "fleet/download_url.hpp"
#include "fleet/messages.hpp"
#include "fleet/ports/front_desk.hpp"
#include "fleet/ports/push_store.hpp"
#include "topics/names.hpp"

namespace ota::bridge {

/// Puts offers on the broker and notes in the database what the broker acknowledged, in batches of its own
/// thread. What is not noted (a crash, a lost connection) stays due and is published again. Thread safe.
class OfferPublisher {
 public:
  struct Ports {
    MqttLink* link = nullptr;
    const fleet::CatalogSource* catalogs = nullptr;
    std::unique_ptr<fleet::PushStore> marks;  ///< only for mark_published
    const topics::Names* names = nullptr;
    std::string public_url;
    const fleet::DownloadUrls* urls = nullptr;
    std::function<fleet::Time()> now;
  };

  explicit OfferPublisher(Ports ports);
  ~OfferPublisher();
  void start();
  void stop();

  /// Publishes what should be retained for `device` now: its standing offer, or the empty message that clears
  /// it. Nothing for devices never seen on MQTT.
  void publish(const fleet::Device& device);
  /// The live answer to a check: retained while the offer stands, else only for the asker.
  void answer(const std::string& device_id, const fleet::OfferAnswer& offer);
  using Clock = RecentOffers::Clock;
  /// Clears a retained offer that the database did not hold at `asked_at`.
  void clear(const std::string& device_id, Clock::time_point asked_at);
  /// Clears what stands for a device that was deleted.
  void forget(const std::string& device_id);

 private:
  [[nodiscard]] std::string encode(const std::string& device_id, const fleet::OfferAnswer& offer) const;
  void send(const std::string& device_id, std::string payload, std::int64_t revision);
  void hand_over(const std::string& device_id, std::string payload, bool retain, std::int64_t revision);
  void note_published();

  Ports ports_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<fleet::PublishedOffer> acknowledged_;

  std::mutex order_;  // held from the look into recent_ until the link has the publication
  RecentOffers recent_;

  bool stopping_ = false;
  std::thread noter_;
};

}  // namespace ota::bridge
