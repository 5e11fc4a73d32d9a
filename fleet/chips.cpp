#include "fleet/chips.hpp"

namespace ota::fleet {
namespace {

constexpr Chip::Range kCode = {0x42000000, 0x44000000};  // of every chip since the ESP32-C3 but the P4
constexpr Chip::Range kData = {0x3C000000, 0x3E000000};

constexpr Chip kChips[] = {
    {"esp32", 0x0000, {0x400D0000, 0x40400000}, {0x3F400000, 0x3F800000}},
    {"esp32s2", 0x0002, {0x40080000, 0x40B80000}, {0x3F000000, 0x3F3F0000}},
    {"esp32c3", 0x0005, kCode, kData},
    {"esp32s3", 0x0009, kCode, kData},
    {"esp32c2", 0x000C, kCode, kData},
    {"esp32c6", 0x000D, kCode, kData},
    {"esp32h2", 0x0010, kCode, kData},
    {"esp32p4", 0x0012, {0x40000000, 0x44000000}, {0x40000000, 0x44000000}},
    {"esp32c61", 0x0014, kCode, kData},
    {"esp32c5", 0x0017, kCode, kData},
    {"esp32h21", 0x0019, kCode, kData},
    {"esp32h4", 0x001C, kCode, kData},
};

}  // namespace

const Chip* find_chip(std::uint16_t id) {
  for (const auto& chip : kChips) {
    if (chip.id == id) return &chip;
  }
  return nullptr;
}

std::vector<std::string_view> chip_names() {
  std::vector<std::string_view> names = {kEsp8266};
  for (const auto& chip : kChips) names.push_back(chip.name);
  return names;
}

}  // namespace ota::fleet
