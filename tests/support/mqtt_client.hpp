#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

struct mosquitto;

namespace ota::test_support {

/// Who connects, and where. Empty strings are left out.
struct MqttLogin {
  std::string host = "127.0.0.1";
  int port = 0;
  std::string client_id;
  std::string username;
  std::string password;
  std::string ca;
  std::string cert;
  std::string key;
  std::string will_topic;
  std::string will_payload = "will";
  int version = 5;        ///< 5, or 4 for MQTT 3.1.1
  int keep_alive_s = 30;  ///< 0 switches it off
};

struct MqttMessage {
  std::string topic;
  std::string payload;
  bool retained = false;
};

/// A plain MQTT client for tests (libmosquitto), independent of the client library that the bridge uses.
/// Calls wait for the broker's answer, 10 s at most; every call is thread safe.
class MqttClient {
 public:
  /// No answer: refused before MQTT began (TLS), cut off, or silence for 10 s.
  static constexpr int kNoAnswer = -1;

  explicit MqttClient(MqttLogin login);
  ~MqttClient();
  MqttClient(const MqttClient&) = delete;
  MqttClient& operator=(const MqttClient&) = delete;

  /// The CONNACK's reason code (0: welcome) or kNoAnswer.
  int connect();
  /// The SUBACK's first code (below 128: granted) or kNoAnswer.
  int subscribe(const std::string& filter, int qos = 1);
  /// QoS 1. The PUBACK's reason code (0: taken, 16: taken but nobody listens, 135: not allowed) or kNoAnswer.
  /// On 3.1.1 always 0: there a refusal looks like success.
  int publish(const std::string& topic, const std::string& payload, bool retain = false);
  /// The next message, in order of arrival; nothing when none comes in time.
  std::optional<MqttMessage> next(std::chrono::milliseconds wait_max = std::chrono::seconds(10));
  [[nodiscard]] bool is_connected() const;
  /// True once the broker has ended the connection.
  bool wait_for_disconnect(std::chrono::milliseconds wait_max = std::chrono::seconds(10));
  void disconnect();

 private:
  struct Callbacks;
  template <typename Change>
  void set(const Change& change);
  void wait_for(std::optional<int>& answer, std::unique_lock<std::mutex>& lock);

  MqttLogin login_;
  std::unique_ptr<mosquitto, void (*)(mosquitto*)> client_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool connected_ = false;
  bool cut_ = false;
  std::optional<int> connack_;
  std::optional<int> suback_;
  std::optional<int> puback_;
  std::deque<MqttMessage> messages_;
};

}  // namespace ota::test_support
