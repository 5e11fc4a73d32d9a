#include "fleet/esp_image.hpp"

#include "fleet/ids.hpp"

namespace ota::fleet {
namespace {

constexpr int kSegmentsMax = 16;
constexpr std::uint32_t kSegmentBytesMax = 0x1000000;

std::uint32_t little_endian(std::string_view bytes, std::size_t at, std::size_t width) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < width && at + i < bytes.size(); ++i) {
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  }
  return value;
}

std::string descriptor_text(std::string_view image, std::size_t at) {
  constexpr std::size_t kTextBytes = 32;
  const auto text = image.substr(at, kTextBytes);
  return printable(text.substr(0, text.find('\0')));
}

}  // namespace

std::uint8_t read_u8(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(little_endian(bytes, at, 1));
}
std::uint16_t read_u16(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(little_endian(bytes, at, 2));
}
std::uint32_t read_u32(std::string_view bytes, std::size_t at) {
  return little_endian(bytes, at, 4);
}

bool is_esp_header(std::string_view image, std::uint8_t magic, std::uint8_t flash_modes) {
  const int segments = read_u8(image, 1);
  return image.size() >= kShortHeaderBytes && read_u8(image, 0) == magic && segments >= 1 &&
         segments <= kSegmentsMax && read_u8(image, 2) < flash_modes;
}

std::optional<AppDescriptor> read_descriptor(std::string_view image) {
  constexpr std::size_t kDescriptorBytes = 256;
  constexpr std::uint32_t kDescriptorMagic = 0xABCD5432;
  if (image.size() < kDescriptorAt + kDescriptorBytes || read_u32(image, kDescriptorAt) != kDescriptorMagic) {
    return std::nullopt;
  }
  AppDescriptor descriptor;
  descriptor.secure_version = read_u32(image, kDescriptorAt + 4);
  descriptor.version = descriptor_text(image, kDescriptorAt + 16);
  descriptor.project = descriptor_text(image, kDescriptorAt + 48);
  return descriptor;
}

std::string truncated(const std::string& what, std::size_t needed, std::size_t size) {
  return "it is truncated: " + what + " ends at byte " + std::to_string(needed) + ", the file has " +
         std::to_string(size);
}

bool SegmentWalk::take(int count, const Chip* chip) {
  for (int i = 1; i <= count; ++i) {
    const auto name = "segment " + std::to_string(i) + " of " + std::to_string(count);
    const auto length = read_u32(file_, at_ + 4);
    if (file_.size() < at_ + kSegmentHeaderBytes) {
      return end(truncated("the header of " + name, at_ + kSegmentHeaderBytes, file_.size()));
    }
    if (length >= kSegmentBytesMax || (chip != nullptr && length % 4 != 0)) {
      return end("it is damaged: " + name + " has " + std::to_string(length) +
                 " bytes, which no segment has");
    }
    maps_flash_ = maps_flash_ || (chip != nullptr && chip->maps_flash_at(read_u32(file_, at_)));
    at_ += kSegmentHeaderBytes;
    if (file_.size() - at_ < length) return end(truncated(name, at_ + length, file_.size()));
    for (const char c : file_.substr(at_, length)) checksum_ ^= static_cast<std::uint8_t>(c);
    at_ += length;
  }
  return true;
}

bool SegmentWalk::skip_one() {
  const auto checksum = checksum_;
  const bool taken = take(1, nullptr);
  checksum_ = checksum;
  return taken;
}

bool SegmentWalk::close(bool tested) {
  const auto checksum_at = at_ | 15U;
  if (file_.size() <= checksum_at) return end(truncated("its checksum", checksum_at + 1, file_.size()));
  at_ = checksum_at + 1;
  if (!tested || read_u8(file_, checksum_at) == checksum_) return true;
  return end("it is damaged: its checksum is wrong");
}

bool SegmentWalk::end(std::string damage) {
  damage_ = std::move(damage);
  return false;
}

}  // namespace ota::fleet
