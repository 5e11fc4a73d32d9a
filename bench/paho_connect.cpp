#include "bench/paho_connect.hpp"

#include "bridge/tcp_nodelay.hpp"

namespace ota::bench {

void connect_paho(mqtt::async_client& client, const PahoOptions& options) {
  mqtt::connect_options connect;
  connect.set_mqtt_version(MQTTVERSION_5);
  connect.set_clean_start(true);
  if (!options.username.empty()) connect.set_user_name(options.username);
  if (!options.password.empty()) connect.set_password(options.password);
  try {
    client.connect(connect)->wait();
  } catch (const mqtt::exception& error) {
    die("cannot connect to " + options.broker + ": " + error.what());
  }
  bridge::set_tcp_nodelay_towards(parse_address(options.broker).port);
}

}  // namespace ota::bench
