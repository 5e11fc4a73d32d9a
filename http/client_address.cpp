#include "http/client_address.hpp"

#include <algorithm>

#include "http/letters.hpp"

namespace ota::http {
namespace {

constexpr std::string_view kHeader = "x-forwarded-for:";

bool is_trusted(const fleet::IpAddress& address, const std::vector<fleet::IpNetwork>& trusted) {
  return std::any_of(trusted.begin(), trusted.end(),
                     [&](const fleet::IpNetwork& network) { return network.contains(address); });
}

// Some proxies add the port: 192.0.2.1:4711 or [2001:db8::1]:4711.
std::optional<fleet::IpAddress> parse_hop(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  if (!text.empty() && text.front() == '[') return fleet::parse_ip(text.substr(1, text.find(']') - 1));
  if (std::count(text.begin(), text.end(), ':') == 1) text = text.substr(0, text.find(':'));
  return fleet::parse_ip(text);
}

}  // namespace

std::string forwarded_for(std::string_view head) {
  std::string list;
  head = head.substr(0, head.find("\r\n\r\n"));
  for (auto end = head.find("\r\n"); end != std::string_view::npos; end = head.find("\r\n")) {
    head.remove_prefix(end + 2);
    const auto line = head.substr(0, head.find("\r\n"));
    if (!begins_with(line, kHeader)) continue;
    if (!list.empty()) list += ',';
    list += line.substr(kHeader.size());
  }
  return list;
}

fleet::IpAddress client_of(std::string_view peer, std::string_view forwarded,
                           const std::vector<fleet::IpNetwork>& trusted) {
  auto client = fleet::parse_ip(peer).value_or(fleet::IpAddress{});
  while (!forwarded.empty() && is_trusted(client, trusted)) {
    const auto comma = forwarded.rfind(',');
    const auto hop = parse_hop(comma == std::string_view::npos ? forwarded : forwarded.substr(comma + 1));
    if (!hop) break;
    client = *hop;
    forwarded = comma == std::string_view::npos ? std::string_view() : forwarded.substr(0, comma);
  }
  return client;
}

bool is_trusted_proxy(std::string_view peer, const std::vector<fleet::IpNetwork>& trusted) {
  const auto address = fleet::parse_ip(peer);
  return address && is_trusted(*address, trusted);
}

}  // namespace ota::http
