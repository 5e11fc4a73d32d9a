#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/expected.hpp"

namespace ota::fleet {

/// An IPv6 address, or an IPv4 one as IPv6 writes it (::ffff:192.0.2.1), so that each has one form.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  [[nodiscard]] bool is_v4() const;
  [[nodiscard]] auto operator<=>(const IpAddress&) const = default;
};

/// 192.0.2.1 or 2001:db8::1, nothing around it.
[[nodiscard]] std::optional<IpAddress> parse_ip(std::string_view text);
[[nodiscard]] std::string to_string(const IpAddress& address);

/// What one subscriber has at least: an IPv4 address alone, an IPv6 address with the 2^64 beside it.
[[nodiscard]] IpAddress subscriber_of(const IpAddress& address);

/// Addresses that begin with the same bits.
struct IpNetwork {
  IpAddress address;
  int prefix_bits = 128;  ///< of the IPv6 form: 96 more than one writes for IPv4

  [[nodiscard]] bool contains(const IpAddress& other) const;
};

/// Addresses and networks (192.0.2.0/24) separated by commas; the empty text is none. `invalid` names the one
/// that is wrong; a network of all addresses is refused.
[[nodiscard]] Expected<std::vector<IpNetwork>> parse_networks(std::string_view text);

}  // namespace ota::fleet
