#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "bridge/mqtt_link.hpp"
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
  /// Clears a retained offer that the database does not know.
  void clear(const std::string& device_id);

 private:
  [[nodiscard]] std::string encode(const std::string& device_id, const fleet::OfferAnswer& offer) const;
  void send(const std::string& device_id, std::string payload, bool retain, std::int64_t revision);
  bool is_overtaken(const std::string& device_id, std::int64_t revision, bool stands);
  void note_published();

  Ports ports_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<fleet::PublishedOffer> acknowledged_;

  // What was sent last, for the devices of the last moments: two generations, the older one dropped when the
  // newer is full. An answer to a check may overtake the push loop; what the loop still holds is then not
  // sent after it.
  struct Sent {
    std::int64_t revision = 0;
    bool stands = false;
  };
  std::unordered_map<std::string, Sent> sent_[2];

  bool stopping_ = false;
  std::thread noter_;
};

}  // namespace ota::bridge
