#pragma once

#include <cstdint>

namespace ota::bridge {

/// Sets TCP_NODELAY on every TCP socket of this process whose peer has that port. Paho offers no such option,
/// and Nagle's algorithm costs 40 ms per exchange with a broker that acknowledges late.
void set_tcp_nodelay_towards(std::uint16_t peer_port);

}  // namespace ota::bridge
