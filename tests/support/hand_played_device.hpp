#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "tests/support/mqtt_peer.hpp"

namespace ota::test_support {

/// A device played by hand over mutual TLS: each step is one message and what comes back for it.
class HandPlayedDevice {
 public:
  HandPlayedDevice(Stack& stack, const std::string& id, std::string model = "esp32")
      : id_(id), model_(std::move(model)), mqtt_(stack, id, stack.enrol(id)) {
    mqtt_.subscribe(topic("offer"));
    mqtt_.subscribe(topic("ack"));
  }

  [[nodiscard]] std::string topic(const std::string& what) const {
    return "ota/v1/device/" + id_ + "/" + what;
  }
  MqttPeer& mqtt() { return mqtt_; }

  /// Sends a check and answers the live offer or refusal; null when none came.
  nlohmann::json check(const std::string& version, const std::string& boot_id = "b1") {
    const auto from = mqtt_.received();
    mqtt_.publish(
        topic("check"),
        nlohmann::json{{"device_model", model_}, {"current_version", version}, {"boot_id", boot_id}}.dump());
    return offer_after(from);
  }

  /// The next offer message with a body from position `from` on, withdrawals apart; null when none came.
  nlohmann::json offer_after(std::size_t from) {
    const auto offer = mqtt_.wait_for(
        [&](const MqttMessage& m) {
          return m.topic == topic("offer") && !m.payload.empty() && !m.retained &&
                 m.payload.find("\"withdrawn\"") == std::string::npos;
        },
        from);
    return offer ? nlohmann::json::parse(offer->payload) : nlohmann::json();
  }

  /// Sends a report and answers its ack; null when none came in time.
  nlohmann::json report(nlohmann::json body, std::chrono::milliseconds wait = std::chrono::seconds(15)) {
    const auto report_id = "r" + std::to_string(++reports_);
    body["report_id"] = report_id;
    const auto from = mqtt_.received();
    mqtt_.publish(topic("status"), body.dump());
    return ack_of(report_id, from, wait);
  }

  nlohmann::json ack_of(const std::string& report_id, std::size_t from, std::chrono::milliseconds wait) {
    const auto ack = mqtt_.wait_for(
        [&](const MqttMessage& m) {
          return m.topic == topic("ack") && m.payload.find('"' + report_id + '"') != std::string::npos;
        },
        from, wait);
    return ack ? nlohmann::json::parse(ack->payload) : nlohmann::json();
  }

 private:
  std::string id_;
  std::string model_;
  MqttPeer mqtt_;
  int reports_ = 0;
};

}  // namespace ota::test_support
