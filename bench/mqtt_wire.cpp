#include "bench/mqtt_wire.hpp"

namespace ota::bench::mqtt {
namespace {

void add_u16(std::string& bytes, std::size_t value) {
  bytes += static_cast<char>((value >> 8) & 0xff);
  bytes += static_cast<char>(value & 0xff);
}

void add_text(std::string& bytes, std::string_view text) {
  add_u16(bytes, text.size());
  bytes += text;
}

std::string packet(std::uint8_t first_byte, const std::string& body) {
  std::string bytes(1, static_cast<char>(first_byte));
  auto left = body.size();
  do {
    const auto digit = left % 128;
    left /= 128;
    bytes += static_cast<char>(digit | (left > 0 ? 0x80U : 0U));
  } while (left > 0);
  return bytes + body;
}

std::uint16_t u16_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<std::uint8_t>(bytes[at]) << 8 |
                                    static_cast<std::uint8_t>(bytes[at + 1]));
}

}  // namespace

std::optional<Packet> read_packet(std::string_view bytes) {
  std::size_t length = 0;
  std::size_t at = 1;
  for (unsigned shift = 0; shift <= 21; shift += 7) {
    if (at >= bytes.size()) return std::nullopt;
    const auto digit = static_cast<std::uint8_t>(bytes[at++]);
    length |= static_cast<std::size_t>(digit & 0x7f) << shift;
    if ((digit & 0x80) == 0) break;
  }
  if (bytes.size() < at + length) return std::nullopt;
  const auto first = static_cast<std::uint8_t>(bytes[0]);
  return Packet{static_cast<PacketType>(first >> 4), static_cast<std::uint8_t>(first & 0xf),
                bytes.substr(at, length), at + length};
}

std::uint16_t publication_id(const Packet& publication) {
  return u16_at(publication.body, 2U + u16_at(publication.body, 0));
}

std::string connect(std::string_view client_id) {
  std::string body;
  add_text(body, "MQTT");
  body += '\x04';                   // version 3.1.1
  body += static_cast<char>(0x82);  // user name, clean session
  add_u16(body, 60);
  add_text(body, client_id);
  add_text(body, client_id);  // as user name: what the broker's patterns go by
  return packet(0x10, body);
}

std::string subscribe(std::string_view filter) {
  std::string body;
  add_u16(body, 1);
  add_text(body, filter);
  body += '\x01';
  return packet(0x82, body);
}

std::string publish(std::string_view topic, std::string_view payload, std::uint16_t packet_id) {
  std::string body;
  add_text(body, topic);
  add_u16(body, packet_id);
  body += payload;
  return packet(0x32, body);
}

std::string puback(std::uint16_t packet_id) {
  std::string body;
  add_u16(body, packet_id);
  return packet(0x40, body);
}

}  // namespace ota::bench::mqtt
