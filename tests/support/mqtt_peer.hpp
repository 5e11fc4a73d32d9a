#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/mqtt_client.hpp"
#include "tests/support/stack.hpp"

namespace ota::test_support {

/// A connected client of a stack's broker that remembers all it received, so a test waits for what it
/// expects, in any order, instead of sleeping. Throws std::runtime_error when it cannot connect, subscribe or
/// publish. One thread at a time.
class MqttPeer {
 public:
  /// A device on the TLS listener with its certificate.
  MqttPeer(const Stack& stack, const std::string& device_id, const Enrolment& enrolment)
      : MqttPeer(device_login(stack, device_id, enrolment)) {}
  /// A user of the internal listener: "MONITOR" or "BRIDGE".
  MqttPeer(const Stack& stack, const std::string& role) : MqttPeer(internal_login(stack, role)) {}

  void subscribe(const std::string& filter) {
    if (const int code = client_.subscribe(filter); code < 0 || code >= 128)
      fail("subscribe to " + filter, code);
  }
  void publish(const std::string& topic, const std::string& payload, bool retain = false) {
    if (const int code = client_.publish(topic, payload, retain); code < 0 || code >= 128)
      fail("publish to " + topic, code);
  }

  using Matches = std::function<bool(const MqttMessage&)>;
  /// The first message from position `from` on that matches, waiting for it at most `wait`; nullopt when none
  /// came.
  std::optional<MqttMessage> wait_for(const Matches& matches, std::size_t from = 0,
                                      std::chrono::milliseconds wait = std::chrono::seconds(15)) {
    const auto deadline = std::chrono::steady_clock::now() + wait;
    while (true) {
      for (; from < messages_.size(); ++from) {
        if (matches(messages_[from])) return messages_[from];
      }
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      auto message = client_.next(std::max(left, std::chrono::milliseconds(0)));
      if (!message) return std::nullopt;
      messages_.push_back(std::move(*message));
    }
  }
  /// How many messages came so far: the position from which a later wait_for looks.
  [[nodiscard]] std::size_t received() {
    while (auto message = client_.next(std::chrono::milliseconds(0)))
      messages_.push_back(std::move(*message));
    return messages_.size();
  }

 private:
  explicit MqttPeer(MqttLogin login) : client_(std::move(login)) {
    if (const int code = client_.connect(); code != 0) fail("connect", code);
  }
  [[noreturn]] static void fail(const std::string& what, int code) {
    throw std::runtime_error("cannot " + what + ": reason " + std::to_string(code));
  }
  static MqttLogin device_login(const Stack& stack, const std::string& device_id,
                                const Enrolment& enrolment) {
    MqttLogin login;
    login.host = stack.env("MQTT_HOST");
    login.port = stack.port("MQTTS_PORT");
    login.client_id = device_id;
    login.ca = enrolment.ca;
    login.cert = enrolment.cert;
    login.key = enrolment.key;
    return login;
  }
  static MqttLogin internal_login(const Stack& stack, const std::string& role) {
    MqttLogin login;
    login.port = stack.port("MQTT_INTERNAL_PORT");
    login.username = stack.env("MQTT_" + role + "_USER");
    login.password = stack.env("MQTT_" + role + "_PASSWORD");
    return login;
  }

  MqttClient client_;
  std::vector<MqttMessage> messages_;
};

}  // namespace ota::test_support
