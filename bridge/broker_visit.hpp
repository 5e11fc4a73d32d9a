#pragma once

#include <chrono>
#include <string>

namespace ota::bridge {

/// A short visit to the broker under a name that is not this bridge's.
struct VisitOptions {
  std::string url;  ///< mqtt://host:port or mqtts://host:port
  std::string client_id;
  std::string username;
  std::string password;
  std::string ca_pem;    ///< mqtts: whom to trust
  std::string cert_pem;  ///< mqtts: the client certificate; empty: none
  std::string key_pem;
};

enum class Visit {
  welcome,      ///< the broker accepted the connection, which then was ended
  refused,      ///< it answered, and would not have us: the certificate, the name or the password
  unreachable,  ///< nobody answered in time
};

/// Connects, waits for the broker's word and leaves again; takes `wait_max` at most. With the client id of a
/// connection that stands, that one is ended by the broker (MQTT 3.1.1, section 3.1.4). A library of its own
/// (libmosquitto): each further Paho client in a process takes two seconds. Thread safe.
[[nodiscard]] Visit visit_broker(const VisitOptions& options, std::chrono::milliseconds wait_max);

/// The PEM certificates or key of a file; empty when it cannot be read.
[[nodiscard]] std::string read_pem(const std::string& path);

}  // namespace ota::bridge
