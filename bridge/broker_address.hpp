#pragma once

#include <string>
#include <string_view>

#include "fleet/expected.hpp"

namespace ota::bridge {

/// Where something listens, as a URL says it.
struct HostPort {
  std::string host;  ///< an IPv6 address without its brackets
  int port = 0;      ///< 0: not said
};
/// host, host:port or [address]:port (RFC 3986 section 3.2). `invalid` without a host, with characters that
/// no host has, or with a port outside 1 to 65535.
[[nodiscard]] fleet::Expected<HostPort> parse_host_port(std::string_view text);

struct BrokerAddress {
  bool tls = false;
  std::string host;
  int port = 0;  ///< 1883, or 8883 with TLS, where the URL says none
};
/// mqtt://host:port or mqtts://host:port; `invalid` for everything else, a path included.
[[nodiscard]] fleet::Expected<BrokerAddress> parse_broker_url(std::string_view url);

}  // namespace ota::bridge
