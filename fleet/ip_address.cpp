#include "fleet/ip_address.hpp"

#include <arpa/inet.h>  // the grammar of addresses; nothing here reaches a network

#include <algorithm>
#include <charconv>
#include <iterator>

#include "fleet/ids.hpp"

namespace ota::fleet {
namespace {

constexpr std::array<std::uint8_t, 12> kV4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kV4PrefixBits = 96;
constexpr std::size_t kSubscriberBytes = 8;

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// The bits behind the slash; nullopt unless it is a whole number from 1 to `most`.
std::optional<int> parse_prefix(std::string_view text, int most) {
  int bits = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), bits);
  const bool is_whole = problem == std::errc{} && end == text.data() + text.size();
  return is_whole && bits >= 1 && bits <= most ? std::optional(bits) : std::nullopt;
}

std::optional<IpNetwork> parse_network(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_ip(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return IpNetwork{*address, 128};
  const int before = address->is_v4() && text.find(':') == std::string_view::npos ? kV4PrefixBits : 0;
  const auto bits = parse_prefix(text.substr(slash + 1), 128 - before);
  if (!bits) return std::nullopt;
  return IpNetwork{*address, before + *bits};
}

}  // namespace

bool IpAddress::is_v4() const {
  return std::equal(kV4Prefix.begin(), kV4Prefix.end(), bytes.begin());
}

std::optional<IpAddress> parse_ip(std::string_view text) {
  const std::string terminated(text.substr(0, INET6_ADDRSTRLEN));
  if (terminated.size() != text.size() || text.find('\0') != std::string_view::npos) return std::nullopt;
  IpAddress address;
  if (::inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) return address;
  std::copy(kV4Prefix.begin(), kV4Prefix.end(), address.bytes.begin());
  if (::inet_pton(AF_INET, terminated.c_str(), address.bytes.data() + kV4Prefix.size()) == 1) return address;
  return std::nullopt;
}

std::string to_string(const IpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool is_v4 = address.is_v4();
  const auto* bytes = address.bytes.data() + (is_v4 ? kV4Prefix.size() : 0);
  return ::inet_ntop(is_v4 ? AF_INET : AF_INET6, bytes, text.data(), text.size());
}

IpAddress subscriber_of(const IpAddress& address) {
  if (address.is_v4()) return address;
  IpAddress network = address;
  std::fill(network.bytes.begin() + kSubscriberBytes, network.bytes.end(), std::uint8_t{0});
  return network;
}

bool IpNetwork::contains(const IpAddress& other) const {
  const auto whole = static_cast<std::size_t>(prefix_bits / 8);
  if (!std::equal(address.bytes.begin(), std::next(address.bytes.begin(), prefix_bits / 8),
                  other.bytes.begin())) {
    return false;
  }
  const int rest = prefix_bits % 8;
  if (rest == 0) return true;
  return ((address.bytes[whole] ^ other.bytes[whole]) >> (8 - rest)) == 0;
}

Expected<std::vector<IpNetwork>> parse_networks(std::string_view text) {
  std::vector<IpNetwork> networks;
  if (trim(text).empty()) return networks;
  while (true) {
    const auto comma = text.find(',');
    const auto item = trim(text.substr(0, comma));
    const auto network = parse_network(item);
    if (!network) {
      return fail(ErrorKind::invalid, quoted(item) + " is no address and no network such as 192.0.2.0/24");
    }
    networks.push_back(*network);
    if (comma == std::string_view::npos) return networks;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace ota::fleet
