#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fleet/catalog.hpp"
#include "fleet/json_value.hpp"

namespace ota::fleet {

/// What an uploaded file is.
enum class ImageFormat {
  unknown,     ///< no format of these
  esp32,       ///< an application of the ESP32 family, as an update writes it
  esp8266,     ///< an application of the ESP8266
  gzip,        ///< compressed; the ESP8266's boot loader alone unpacks it
  bootloader,  ///< a second stage boot loader without an application
  merged,      ///< a whole flash: boot loader, partition table and application in one file
};

[[nodiscard]] std::string_view to_string(ImageFormat format);

/// Blocks of an ESP-IDF Secure Boot v2 signature sector whose CRC is right. Whose signature it is, the chip
/// knows.
struct SecureBoot {
  int signatures = 0;       ///< 0 to 3
  std::string_view scheme;  ///< "rsa" or "ecdsa"; empty without a signature
};

struct ImageInspection {
  ImageFormat format = ImageFormat::unknown;
  std::string
      chip;  ///< as in MODEL_CHIPS, "id N" for one that is not known; empty where the file does not say
  std::string project;              ///< of the application descriptor, made printable; empty without one
  std::string version;              ///< likewise
  std::int64_t secure_version = 0;  ///< the descriptor's; the eFuse counter of ESP-IDF's anti-rollback
  bool hash_appended = false;
  std::uint32_t entry = 0;
  int segments = 0;
  SecureBoot secure_boot;
  std::string damage;  ///< a sentence: where it is truncated, or which sum is wrong; empty: whole
};

/// Says what `image`, a whole file, is. Hostile bytes are the normal case: nothing is read outside of it, the
/// work is linear in its size, and no memory of its size is taken. Thread safe.
///
/// Formats: "Firmware Image Format" of esptool's documentation and elf2image, esp_app_format.h,
/// esp_app_desc.h, esp_bootloader_desc.h, esp_flash_partitions.h and rom/secure_boot.h of ESP-IDF, elf2bin.py
/// of the ESP8266 Arduino core, RFC 1952.
[[nodiscard]] ImageInspection inspect_image(std::string_view image, Sha256 sha256);

/// The inspection as a release keeps and shows it; members that say nothing are left out.
[[nodiscard]] JsonValue image_json(const ImageInspection& inspection);

}  // namespace ota::fleet
