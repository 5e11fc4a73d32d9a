#pragma once

#include <string_view>

#include "fleet/esp_image.hpp"
#include "fleet/image_inspection.hpp"

namespace ota::fleet {

inline void describe(AppDescriptor descriptor, ImageInspection& found) {
  found.secure_version = descriptor.secure_version;
  found.version = std::move(descriptor.version);
  found.project = std::move(descriptor.project);
}

/// Reads an image of the ESP8266 in any of its forms: the ROM's ("version 1"), the boot loaders' ("version
/// 2", magic 0xEA), the RTOS SDK's with the ESP32's long header, and Arduino's with its boot loader in front.
/// Whether `image` is one.
bool read_esp8266(std::string_view image, ImageInspection& found);

}  // namespace ota::fleet
