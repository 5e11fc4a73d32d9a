#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/mqtt_client.hpp"
#include "tests/support/stack.hpp"

namespace ota {

using test_support::Enrolment;
using test_support::MqttClient;
using test_support::MqttLogin;
using test_support::run_command;
using test_support::Stack;
using Topics = std::vector<std::string>;

inline constexpr int kWelcome = 0;
inline constexpr int kNotAllowed = 135;
inline constexpr int kNobodyListens = 16;

inline std::string device_topic(const std::string& id, const std::string& kind) {
  return "ota/v1/device/" + id + "/" + kind;
}

inline bool is_taken(int puback) {
  return puback == kWelcome || puback == kNobodyListens;
}

class BrokerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { stack_ = std::make_unique<Stack>(std::vector<std::string>{"mosquitto"}); }
  static void TearDownTestSuite() { stack_.reset(); }

  static MqttLogin device_login(const Enrolment& enrolment) {
    MqttLogin login;
    login.port = stack_->port("MQTTS_PORT");
    login.ca = enrolment.ca;
    login.cert = enrolment.cert;
    login.key = enrolment.key;
    return login;
  }
  static MqttLogin device_login(const std::string& id) { return device_login(stack_->enrol(id)); }

  static MqttLogin internal_login(const std::string& user, const std::string& password) {
    MqttLogin login;
    login.port = stack_->port("MQTT_INTERNAL_PORT");
    login.username = user;
    login.password = password;
    return login;
  }
  static MqttLogin bridge_login() {
    return internal_login(stack_->env("MQTT_BRIDGE_USER"), stack_->env("MQTT_BRIDGE_PASSWORD"));
  }
  static MqttLogin monitor_login() {
    return internal_login(stack_->env("MQTT_MONITOR_USER"), stack_->env("MQTT_MONITOR_PASSWORD"));
  }

  static std::unique_ptr<MqttClient> connected(const MqttLogin& login) {
    auto client = std::make_unique<MqttClient>(login);
    EXPECT_EQ(client->connect(), kWelcome);
    return client;
  }

  /// A certificate with a name that our authority would refuse, signed with its key all the same.
  static Enrolment forge(const std::string& common_name, const std::string& file) {
    const auto base = (stack_->directory() / file).string();
    const auto ca = (stack_->directory() / "ca" / "issuing").string();
    const auto result = run_command({"openssl",
                                     "req",
                                     "-config",
                                     std::string(OTA_SOURCE_DIR) + "/broker-config/openssl.cnf",
                                     "-x509",
                                     "-newkey",
                                     "ec",
                                     "-pkeyopt",
                                     "ec_paramgen_curve:prime256v1",
                                     "-noenc",
                                     "-subj",
                                     "/CN=" + common_name,
                                     "-days",
                                     "1",
                                     "-extensions",
                                     "device",
                                     "-CA",
                                     ca + ".crt",
                                     "-CAkey",
                                     ca + ".key",
                                     "-keyout",
                                     base + ".key",
                                     "-out",
                                     base + ".crt"},
                                    {{"OTA_CA_DIR", (stack_->directory() / "ca").string()}});
    EXPECT_EQ(result.exit_status, 0) << result.output;
    return {base + ".crt", base + ".key", (stack_->directory() / "ca" / "ca.crt").string()};
  }

  /// Everything `client` gets up to and including the message on `last_topic`, as topics.
  static Topics topics_until(MqttClient& client, const std::string& last_topic) {
    Topics topics;
    while (const auto message = client.next()) {
      topics.push_back(message->topic);
      if (message->topic == last_topic) return topics;
    }
    ADD_FAILURE() << "nothing arrived on " << last_topic;
    return topics;
  }

  inline static std::unique_ptr<Stack> stack_;
};

}  // namespace ota
