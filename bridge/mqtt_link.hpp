#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ota::bridge {

struct MqttOptions {
  std::string url;  ///< mqtt://host:port or mqtts://host:port
  std::string client_id;
  std::string username;
  std::string password;
  std::string ca;
  std::string cert;
  std::string key;
  std::string will_topic;  ///< retained last will
  std::string will_payload;
};

/// A message as it came, valid during the call only.
struct Incoming {
  const std::string& topic;
  const std::string& payload;
  bool retained;  ///< it stood on the broker when we subscribed; under retain_as_published: its sender's flag
};

struct Subscription {
  std::string filter;
  bool no_local = false;             ///< without our own publications
  bool retain_as_published = false;  ///< a live message, too, comes with the flag that it was sent with
};

/// The connection to the broker: keeps itself connected, bounds what is in flight, never blocks the caller
/// for the network. Reconnects with growing, jittered pauses. MQTT 5. Thread safe.
class MqttLink {
 public:
  /// Told once per publication: true after the broker's PUBACK, false when it was dropped (not connected,
  /// queue full, refused). Called on one of the link's threads; must not block.
  using Done = std::function<void(bool acknowledged)>;

  struct Handlers {
    /// On the library's receive thread: validate and queue, nothing else.
    std::function<void(const Incoming&)> message;
    /// On the link's own thread after each connect: subscribe here. Answer false to give the connection up.
    std::function<bool()> connected;
    std::function<void()> disconnected;
  };

  MqttLink(MqttOptions options, Handlers handlers);
  ~MqttLink();
  MqttLink(const MqttLink&) = delete;
  MqttLink& operator=(const MqttLink&) = delete;

  void start();
  /// Lets what is queued go out for at most two seconds, disconnects, joins. Idempotent.
  void stop();

  [[nodiscard]] bool is_connected() const;

  /// Queues a QoS 1 publication.
  void publish(std::string topic, std::string payload, bool retain, Done done = {});
  /// Publications queued and not yet acknowledged; pushers wait while it is large.
  [[nodiscard]] std::size_t backlog() const;

  /// Subscribes at QoS 1 and waits for the answer. Only from the connected handler or a thread of the
  /// caller's own.
  [[nodiscard]] bool subscribe(const Subscription& subscription);
  void unsubscribe(const std::string& filter);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ota::bridge
