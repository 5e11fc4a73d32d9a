#include "fleet/esp8266_image.hpp"

#include "fleet/chips.hpp"
#include "fleet/esp_image.hpp"

namespace ota::fleet {
namespace {

constexpr std::uint8_t kMagicV2 = 0xEA;
// RAM the ESP8266 runs code from; its images enter there, those of the ESP32 family never do.
constexpr Chip::Range kCodeRam = {0x40100000, 0x40110000};
constexpr std::uint32_t kEbootEntry = 0x4010F000;  // Arduino's boot loader is linked to it
constexpr std::size_t kEbootBytes = 0x1000;        // and the application follows it there
constexpr std::uint8_t kFlashModes = 4;

bool is_header(std::string_view image) {
  return is_esp_header(image, kEspMagic, kFlashModes) && kCodeRam.contains(read_u32(image, 4));
}

bool is_v2_header(std::string_view image) {
  constexpr std::uint8_t kV2Segments = 4;  // a constant, not a count
  return is_esp_header(image, kMagicV2, kFlashModes) && read_u8(image, 1) == kV2Segments;
}

// Arduino puts its boot loader before the application, and that is how an update is written too. elf2bin.py
// fills in the length and a CRC after the application's checksum, which is therefore not tested.
void read_eboot(std::string_view image, ImageInspection& found) {
  if (image.size() <= kEbootBytes || !is_header(image.substr(kEbootBytes))) {
    found.format = ImageFormat::bootloader;
    return;
  }
  const auto application = image.substr(kEbootBytes);
  found.entry = read_u32(application, 4);
  found.segments = read_u8(application, 1);
  SegmentWalk walk(image, kEbootBytes + kShortHeaderBytes);
  if (!walk.take(found.segments, nullptr) || !walk.close(/*tested=*/false)) found.damage = walk.damage();
}

void read_v1(std::string_view image, ImageInspection& found) {
  found.entry = read_u32(image, 4);
  found.segments = read_u8(image, 1);
  // The RTOS SDK writes the ESP32's long header: 0xEE stands where an address would.
  constexpr std::uint8_t kNoWriteProtectPin = 0xEE;
  const bool is_long =
      image.size() >= kHeaderBytes && read_u8(image, 8) == kNoWriteProtectPin && read_u8(image, 11) == 0;
  if (const auto descriptor = is_long ? read_descriptor(image) : std::nullopt) describe(*descriptor, found);
  SegmentWalk walk(image, is_long ? kHeaderBytes : kShortHeaderBytes);
  const bool whole = walk.take(found.segments, nullptr) && walk.close();
  found.damage = walk.damage();
  if (whole && !is_long && found.entry >= kEbootEntry) read_eboot(image, found);
}

// "Version 2": code for the flash first, then a header of its own for what is loaded.
void read_v2(std::string_view image, ImageInspection& found) {
  found.entry = read_u32(image, 4);
  SegmentWalk walk(image, kShortHeaderBytes);
  if (walk.skip_one()) {
    const auto second = image.substr(walk.at());
    if (!is_header(second)) {
      found.damage = "it is damaged: no second header follows its first segment";
      return;
    }
    found.segments = read_u8(second, 1);
    walk.skip(kShortHeaderBytes);
    if (walk.take(found.segments, nullptr)) (void)walk.close();
  }
  found.damage = walk.damage();
}

}  // namespace

bool read_esp8266(std::string_view image, ImageInspection& found) {
  const bool is_v2 = is_v2_header(image);
  if (!is_v2 && !is_header(image)) return false;
  found.format = ImageFormat::esp8266;
  found.chip = kEsp8266;
  if (is_v2) {
    read_v2(image, found);
  } else {
    read_v1(image, found);
  }
  return true;
}

}  // namespace ota::fleet
