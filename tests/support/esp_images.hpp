#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ota::tests {

/// Images with right headers, written as esptool's elf2image, espsecure and merge_bin write them. What a
/// shape leaves open is an ESP32's application 1.1.0 of the project "demo".
struct ImageShape {
  std::uint16_t chip_id = 0;
  std::uint32_t entry = 0x40081234;
  std::string version = "1.1.0";
  std::string project = "demo";
  std::uint32_t secure_version = 0;
  bool has_descriptor = true;
  bool has_hash = true;
  /// Address and length; the first one holds the descriptor.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> segments = {
      {0x3F400020, 0x200}, {0x3FFB0000, 0x40}, {0x40080000, 0x80}, {0x400D0020, 0x300}};
};

[[nodiscard]] std::string esp32_image(const ImageShape& shape = {});
/// A boot loader of that chip: it runs from RAM alone. `described`: with esp_bootloader_desc_t, as since
/// ESP-IDF 5.2.
[[nodiscard]] std::string bootloader_image(std::uint16_t chip_id = 0, bool described = false);
/// Boot loader, partition table at 0x8000 and `application` at 0x10000, in flash that begins at
/// `flash_begin`; the boot loader lies at `bootloader_at`.
[[nodiscard]] std::string merged_image(const std::string& application, std::size_t bootloader_at,
                                       std::size_t flash_begin = 0);
/// `image` with a Secure Boot v2 signature sector of so many blocks. The signatures themselves are noise.
[[nodiscard]] std::string with_secure_boot(std::string image, int blocks, std::uint8_t version = 2);

/// Version 1, as the ROM loads it; `long_header` as the RTOS SDK writes it.
[[nodiscard]] std::string esp8266_image(std::uint32_t entry = 0x40100004, bool long_header = false);
/// Version 2 (0xEA), for boot loaders in software.
[[nodiscard]] std::string esp8266_v2_image();
/// Arduino's: its boot loader in the first 4 KiB, the application behind it.
[[nodiscard]] std::string esp8266_arduino_image();

}  // namespace ota::tests
