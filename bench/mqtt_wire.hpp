#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// As much of MQTT 3.1.1 as a device needs, on plain strings, so that simulating hundreds of devices costs
// little beside the broker and the bridge.
namespace ota::bench::mqtt {

enum class PacketType : std::uint8_t {
  connack = 2,
  publish = 3,
  puback = 4,
  suback = 9,
};

struct Packet {
  PacketType type{};
  std::uint8_t flags = 0;
  std::string_view body;       ///< points into the bytes it was read from
  std::size_t size_bytes = 0;  ///< of the whole packet

  [[nodiscard]] bool is_retained() const { return (flags & 1) != 0; }
  [[nodiscard]] int qos() const { return (flags >> 1) & 3; }
};

/// The packet at the beginning of `bytes`; nullopt while it is not complete.
[[nodiscard]] std::optional<Packet> read_packet(std::string_view bytes);
/// The packet id of a publication with QoS 1.
[[nodiscard]] std::uint16_t publication_id(const Packet& publication);

/// Clean session, 60 s keep-alive, no password.
[[nodiscard]] std::string connect(std::string_view client_id);
[[nodiscard]] std::string subscribe(std::string_view filter);
[[nodiscard]] std::string publish(std::string_view topic, std::string_view payload, std::uint16_t packet_id);
[[nodiscard]] std::string puback(std::uint16_t packet_id);

}  // namespace ota::bench::mqtt
