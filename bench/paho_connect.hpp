#pragma once

#include <mqtt/async_client.h>

#include <string>

#include "bench/measure.hpp"

namespace ota::bench {

/// How both bare Paho programs reach the broker: the account, and the protocol version as the bridge has it.
struct PahoOptions {
  std::string broker;  ///< host:port of the internal listener
  std::string username;
  std::string password;
  std::string root = "ota/v1";
  bool retained = false;
};

/// With the default of 100, publishes fail under load.
inline constexpr int kPahoBufferedMessagesMax = 100000;

/// Connects (clean, MQTT 5) and sets TCP_NODELAY on the socket, which Paho itself cannot. Set callbacks
/// before. Ends the program with a sentence when the broker refuses.
void connect_paho(mqtt::async_client& client, const PahoOptions& options);

}  // namespace ota::bench
