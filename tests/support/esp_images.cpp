#include "tests/support/esp_images.hpp"

#include "tests/support/fleet_builders.hpp"

namespace ota::tests {
namespace {

using Segments = std::vector<std::pair<std::uint32_t, std::string>>;

std::string number(std::uint64_t value, std::size_t width) {
  std::string bytes;
  for (std::size_t i = 0; i < width; ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xFFU);
  return bytes;
}

std::string field(std::string text, std::size_t width) {
  text.resize(width, '\0');
  return text;
}

std::string filler(std::size_t length) {
  std::string bytes(length, '\0');
  for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<char>(i * 31 + 7);
  return bytes;
}

std::string short_header(std::uint8_t magic, std::size_t segments, std::uint32_t entry) {
  return number(magic, 1) + number(segments, 1) + number(2, 1) + number(0x20, 1) + number(entry, 4);
}

std::string extended_header(std::uint16_t chip_id, bool has_hash) {
  return number(0xEE, 1) + number(0, 3) + number(chip_id, 2) + number(0, 1) + number(0, 2) + number(399, 2) +
         number(0, 4) + number(has_hash ? 1 : 0, 1);
}

// Appends the segments, the padding and the checksum.
void add_segments(std::string& image, const Segments& segments) {
  std::uint8_t checksum = 0xEF;
  for (const auto& [address, bytes] : segments) {
    image += number(address, 4) + number(bytes.size(), 4) + bytes;
    for (const char c : bytes) checksum ^= static_cast<std::uint8_t>(c);
  }
  image.resize(image.size() | 15U, '\0');
  image += static_cast<char>(checksum);
}

void add_hash(std::string& image) {
  const auto digest = test_sha256(image);
  image.append(reinterpret_cast<const char*>(digest.data()), digest.size());
}

std::string descriptor(const ImageShape& shape) {
  const std::string text = number(0xABCD5432, 4) + number(shape.secure_version, 4) + number(0, 8) +
                           field(shape.version, 32) + field(shape.project, 32) + field("12:00:00", 16) +
                           field("Jan  2 2026", 16) + field("v5.2.2", 32) + filler(32);
  return field(text, 256);
}

std::string partition(std::uint8_t type, std::uint8_t subtype, std::uint32_t offset, std::uint32_t size,
                      const std::string& label) {
  return number(0x50AA, 2) + number(type, 1) + number(subtype, 1) + number(offset, 4) + number(size, 4) +
         field(label, 16) + number(0, 4);
}

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = ~0U;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

}  // namespace

std::string esp32_image(const ImageShape& shape) {
  Segments segments;
  for (const auto& [address, length] : shape.segments) {
    auto bytes = filler(length);
    if (segments.empty() && shape.has_descriptor) bytes.replace(0, 256, descriptor(shape));
    segments.emplace_back(address, std::move(bytes));
  }
  auto image =
      short_header(0xE9, segments.size(), shape.entry) + extended_header(shape.chip_id, shape.has_hash);
  add_segments(image, segments);
  if (shape.has_hash) add_hash(image);
  return image;
}

std::string bootloader_image(std::uint16_t chip_id, bool described) {
  auto first = filler(0x120);
  if (described) first.replace(0, 80, field(number(80, 4) + number(1, 4) + field("v5.2.2", 32), 80));
  auto image = short_header(0xE9, 2, 0x40080658) + extended_header(chip_id, true);
  add_segments(image, {{0x3FFF0030, first}, {0x40078000, filler(0x200)}});
  add_hash(image);
  return image;
}

std::string merged_image(const std::string& application, std::size_t bootloader_at, std::size_t flash_begin) {
  std::string flash(0x10000, '\xFF');
  const auto bootloader = bootloader_image();
  flash.replace(bootloader_at, bootloader.size(), bootloader);
  const auto table = partition(1, 2, 0x9000, 0x6000, "nvs") + partition(0, 0x10, 0x10000, 0x100000, "ota_0");
  flash.replace(0x8000, table.size(), table);
  return (flash + application).substr(flash_begin);
}

std::string with_secure_boot(std::string image, int blocks, std::uint8_t version) {
  image.resize((image.size() + 4095) / 4096 * 4096, '\xFF');
  const auto digest = test_sha256(image);
  std::string sector;
  for (int i = 0; i < blocks; ++i) {
    std::string block = number(0xE7, 1) + number(version, 1) + number(0, 2) +
                        std::string(reinterpret_cast<const char*>(digest.data()), digest.size());
    block += filler(1196 - block.size());
    sector += block + number(crc32(block), 4) + std::string(16, '\0');
  }
  sector.resize(4096, '\xFF');
  return image + sector;
}

std::string esp8266_image(std::uint32_t entry, bool long_header) {
  auto image = short_header(0xE9, 2, entry);
  if (long_header) image += extended_header(0, false);
  add_segments(image, {{0x40100000, filler(0x150)}, {0x3FFE8000, filler(0x33)}});
  return image;
}

std::string esp8266_v2_image() {
  auto image = short_header(0xEA, 4, 0x40100004);
  const auto code = filler(0x240);
  image += number(0, 4) + number(code.size(), 4) + code;
  image += short_header(0xE9, 2, 0x40100004);
  add_segments(image, {{0x40100000, filler(0x150)}, {0x3FFE8000, filler(0x34)}});
  return image + number(crc32(image), 4);
}

std::string esp8266_arduino_image() {
  auto image = esp8266_image(0x4010F000);
  image.resize(0x1000, '\xAA');
  auto application = short_header(0xE9, 2, 0x40100200);
  add_segments(application, {{0x40201010, filler(0x400)}, {0x3FFE8000, filler(0x30)}});
  // As elf2bin.py does, after the checksum: the whole length, and a CRC.
  application.replace(16, 4, number(image.size() + application.size(), 4));
  application.replace(20, 4, number(0x12345678, 4));
  return image + application;
}

}  // namespace ota::tests
