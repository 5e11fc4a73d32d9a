#pragma once
#include <mosquitto.h>

#include <cstdint>
#include <string>

#include "esp-client/host/event_loop.hpp"
#include "esp-client/host/link.hpp"

namespace ota::device::host {

struct MqttOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 1883;
  std::string root = "ota/v1";
  std::uint16_t keepalive_s = 30;
  std::string ca_file;  // empty: no TLS
  std::string cert_file;
  std::string key_file;
  std::string username;
  std::string password;
};

// Shared by a fleet: so many TLS handshakes at a time, so that none of them starves.
struct ConnectGate {
  unsigned connecting = 0;
  unsigned connecting_max = 64;
};

// MQTT 3.1.1 on libmosquitto, driven by our event loop. The client id is the device id, the session durable.
class MqttLink final : public Link, public FdHandler {
 public:
  MqttLink(EventLoop& loop, ConnectGate& gate, MqttOptions options, std::string device_id, Observer& observer,
           std::uint64_t seed);
  ~MqttLink() override;
  MqttLink(const MqttLink&) = delete;
  MqttLink& operator=(const MqttLink&) = delete;

  void power_on(Agent& agent) override;
  void power_off() override;
  void poll(std::uint64_t now_ms) override;
  void publish(Topic topic, std::string_view payload, bool retained) override;

  void on_fd(int fd, std::uint32_t epoll_events) override;

 private:
  enum class Phase : std::uint8_t { kDown, kConnecting, kSubscribing, kUp };

  static void on_connect(mosquitto*, void* self, int code);
  static void on_disconnect(mosquitto*, void* self, int code);
  static void on_subscribe(mosquitto*, void* self, int id, int count, const int* granted);
  static void on_message(mosquitto*, void* self, const mosquitto_message* message);

  bool create_client();
  void connect(std::uint64_t now_ms);
  void set_phase(Phase phase);
  void lose(std::string_view why);
  void check(int code);
  void refresh();
  [[nodiscard]] std::string topic(Topic topic) const;

  EventLoop& loop_;
  ConnectGate& gate_;
  MqttOptions options_;
  std::string device_id_;
  Observer& observer_;
  Jitter jitter_;

  Agent* agent_ = nullptr;
  mosquitto* client_ = nullptr;
  Phase phase_ = Phase::kDown;
  int fd_ = -1;
  std::uint32_t watched_events_ = 0;
  bool was_connected_ = false;  // this client has been told host and port
  bool lost_ = false;           // noticed within a callback, acted on in poll()
  std::string lost_why_;
  unsigned tries_ = 0;
  std::uint64_t connect_due_ms_ = 0;
  std::uint64_t connect_until_ms_ = 0;
  std::uint64_t misc_due_ms_ = 0;
  std::uint64_t last_sign_of_life_ms_ = 0;
  std::string offer_topic_;
  std::string ack_topic_;
};

}  // namespace ota::device::host
