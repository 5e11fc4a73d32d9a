#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ota::fleet {

/// A chip with ESP-IDF's image header: what esp_app_format.h calls it and where its flash is mapped.
struct Chip {
  struct Range {
    std::uint32_t first = 0;
    std::uint32_t end = 0;
    [[nodiscard]] bool contains(std::uint32_t address) const { return address >= first && address < end; }
  };
  std::string_view name;
  std::uint16_t id = 0;  ///< esp_chip_id_t
  Range code;            ///< IROM of esptool's targets, or wider
  Range data;            ///< DROM

  [[nodiscard]] bool maps_flash_at(std::uint32_t address) const {
    return code.contains(address) || data.contains(address);
  }
};

inline constexpr std::string_view kEsp8266 = "esp8266";

/// By esp_chip_id_t; nullptr for one that is not known.
[[nodiscard]] const Chip* find_chip(std::uint16_t id);

/// Every chip by its name, the ESP8266 too.
[[nodiscard]] std::vector<std::string_view> chip_names();

}  // namespace ota::fleet
