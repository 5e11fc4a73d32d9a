#pragma once

#include <functional>
#include <string>

#include "bridge/mqtt_link.hpp"
#include "bridge/offer_publisher.hpp"
#include "bridge/refusals.hpp"
#include "fleet/device_rate.hpp"
#include "fleet/ports/front_desk.hpp"
#include "topics/names.hpp"

namespace ota::bridge {

/// Takes devices' MQTT messages in and answers them: topic -> validated message -> inbox -> reply on offer or
/// ack. take() runs on the library's receive thread and only validates and queues; replies run on the
/// writers' threads.
class DeviceDesk {
 public:
  struct Ports {
    MqttLink* link = nullptr;
    fleet::FrontDesk* inbox = nullptr;
    OfferPublisher* publisher = nullptr;
    const topics::Names* names = nullptr;
    Refusals* refusals = nullptr;
    std::function<fleet::Time()> now;
    fleet::DeviceRate* rate = nullptr;
  };

  explicit DeviceDesk(Ports ports) : ports_(std::move(ports)) {}

  void take(const topics::ParsedTopic& topic, const Incoming& incoming);

 private:
  void refuse_retained(const topics::ParsedTopic& topic, const Incoming& incoming);
  void take_check(const std::string& device_id, const std::string& payload);
  void take_report(const std::string& device_id, const std::string& payload);
  void take_presence(const std::string& device_id, const Incoming& incoming);
  void refuse(const std::string& device_id, const char* kind, const fleet::Error& error);
  void send_ack(const std::string& device_id, const std::string& report_id, bool recorded,
                const std::string& reason);

  Ports ports_;
};

}  // namespace ota::bridge
