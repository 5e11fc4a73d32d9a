#include "bridge/broker_address.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "fleet/ids.hpp"

namespace ota::bridge {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

bool is_host(std::string_view text, std::string_view marks) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || marks.find(c) != std::string_view::npos;
  });
}

Expected<int> parse_port(std::string_view text) {
  int port = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (problem == std::errc{} && end == text.data() + text.size() && port >= 1 && port <= 65535) return port;
  return fleet::fail(ErrorKind::invalid, "the port " + fleet::quoted(text) + " is not one from 1 to 65535");
}

}  // namespace

Expected<HostPort> parse_host_port(std::string_view text) {
  const bool bracketed = !text.empty() && text.front() == '[';
  const auto host_end = std::min(bracketed ? text.find(']') : text.find(':'), text.size());
  const auto host = bracketed ? text.substr(1, host_end - 1) : text.substr(0, host_end);
  const auto rest = text.substr(std::min(host_end + (bracketed ? 1 : 0), text.size()));
  const bool closed = !bracketed || host_end < text.size();
  if (!closed || !is_host(host, bracketed ? ":.%" : ".-_") || (!rest.empty() && rest.front() != ':')) {
    return fleet::fail(ErrorKind::invalid, fleet::quoted(text) + " is no host, or host:port");
  }
  HostPort found{std::string(host), 0};
  if (rest.empty()) return found;
  return parse_port(rest.substr(1)).map([&](int port) {
    found.port = port;
    return found;
  });
}

Expected<BrokerAddress> parse_broker_url(std::string_view url) {
  BrokerAddress address;
  const auto scheme_end = url.find("://");
  const auto scheme = url.substr(0, scheme_end);
  if (scheme_end == std::string_view::npos || (scheme != "mqtt" && scheme != "mqtts")) {
    return fleet::fail(ErrorKind::invalid,
                       fleet::quoted(url) + " must be mqtt://host:port or mqtts://host:port");
  }
  const auto found = parse_host_port(url.substr(scheme_end + 3));
  if (!found) return tl::unexpected(found.error());
  address.tls = scheme == "mqtts";
  address.host = found->host;
  address.port = found->port != 0 ? found->port : (address.tls ? 8883 : 1883);
  return address;
}

}  // namespace ota::bridge
