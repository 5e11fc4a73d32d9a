#include "fleet/image_inspection.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

#include "fleet/chips.hpp"
#include "fleet/esp8266_image.hpp"
#include "fleet/esp_image.hpp"

namespace ota::fleet {
namespace {

constexpr std::size_t kDigest = 32;
constexpr std::size_t kSector = 4096;

// Strict, since one random file in 256 begins with the magic byte.
bool is_esp32_header(std::string_view image) {
  constexpr std::uint8_t kFlashModes = 6;
  return image.size() >= kHeaderBytes && is_esp_header(image, kEspMagic, kFlashModes) &&
         read_u16(image, 12) < 0x100 && read_u8(image, 23) <= 1;
}

bool is_partition_entry(std::string_view bytes) {
  constexpr std::uint16_t kEntryMagic = 0x50AA;
  const auto offset = read_u32(bytes, 4);
  return read_u16(bytes, 0) == kEntryMagic && read_u8(bytes, 2) <= 1 && offset != 0 &&
         offset % kSector == 0 && read_u32(bytes, 8) != 0;
}

// A partition table where a flash image may have one: by default at 0x8000 of the flash, less where the boot
// loader begins.
bool has_partition_table(std::string_view image) {
  constexpr std::size_t kEntry = 32;
  constexpr std::size_t kTableFirst = 0x3000;
  constexpr std::size_t kTableLast = 0x20000;
  constexpr std::array<std::uint16_t, 3> kNextMagic = {0x50AA, 0xEBEB, 0xFFFF};  // entry, MD5, end
  for (auto at = kTableFirst; at <= kTableLast && at + 2 * kEntry <= image.size(); at += kSector) {
    const auto next = read_u16(image, at + kEntry);
    if (is_partition_entry(image.substr(at)) &&
        std::find(kNextMagic.begin(), kNextMagic.end(), next) != kNextMagic.end()) {
      return true;
    }
  }
  return false;
}

// Where the boot loader begins in a flash image that was merged from address 0: after erased flash.
std::optional<std::size_t> padded_bootloader(std::string_view image) {
  for (const std::size_t at : {std::size_t{0x1000}, std::size_t{0x2000}}) {
    if (image.size() > at && is_esp32_header(image.substr(at)) &&
        image.substr(0, at).find_first_not_of('\xFF') == std::string_view::npos) {
      return at;
    }
  }
  return std::nullopt;
}

// CRC-32 of IEEE 802.3, as zlib's.
std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = ~0U;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

bool is_digest(std::string_view bytes, std::string_view of, Sha256 sha256) {
  const auto digest = sha256(of);
  return std::equal(digest.begin(), digest.end(), bytes.begin(), bytes.end(),
                    [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); });
}

// The signature sector follows the image at the next sector's begin.
void read_secure_boot(std::string_view image, std::size_t end, Sha256 sha256, ImageInspection& found) {
  constexpr std::size_t kBlock = 1216;
  constexpr std::size_t kBlockCrc = 1196;
  constexpr std::size_t kBlocks = 3;
  constexpr std::uint8_t kBlockMagic = 0xE7;
  constexpr std::uint8_t kRsa = 2;
  constexpr std::uint8_t kEcdsa = 3;
  const auto sector = (end + kSector - 1) / kSector * kSector;
  std::optional<bool> right;  // one digest for all blocks
  for (std::size_t i = 0; i < kBlocks; ++i) {
    const auto at = sector + i * kBlock;
    if (image.size() < at + kBlock) return;
    const auto block = image.substr(at, kBlock);
    const auto version = read_u8(block, 1);
    const bool is_block = read_u8(block, 0) == kBlockMagic && (version == kRsa || version == kEcdsa) &&
                          read_u32(block, kBlockCrc) == crc32(block.substr(0, kBlockCrc));
    if (!is_block) return;
    ++found.secure_boot.signatures;
    found.secure_boot.scheme = version == kRsa ? "rsa" : "ecdsa";
    if (version != kRsa) continue;  // what ECDSA signs may also be a SHA-384
    if (!right) right = is_digest(block.substr(4, kDigest), image.substr(0, sector), sha256);
    if (!*right) {
      found.damage = "it is damaged: its Secure Boot signature is one of other bytes";
    }
  }
}

// Whether the appended SHA-256 is there and right, and `end` moved behind it.
bool take_hash(std::string_view image, std::size_t& end, Sha256 sha256, std::string& damage) {
  const auto digest_at = end;
  end += kDigest;
  if (image.size() < end) {
    damage = truncated("its SHA-256", end, image.size());
  } else if (!is_digest(image.substr(digest_at, kDigest), image.substr(0, digest_at), sha256)) {
    damage = "it is damaged: its SHA-256 is wrong";
  }
  return damage.empty();
}

void read_esp32(std::string_view image, Sha256 sha256, ImageInspection& found) {
  const auto id = read_u16(image, 12);
  const auto* chip = find_chip(id);
  found.chip = chip != nullptr ? std::string(chip->name) : "id " + std::to_string(id);
  found.entry = read_u32(image, 4);
  found.segments = read_u8(image, 1);
  found.hash_appended = read_u8(image, 23) == 1;
  const auto descriptor = read_descriptor(image);
  const bool is_application = descriptor.has_value();
  if (descriptor) describe(*descriptor, found);
  found.format = ImageFormat::esp32;
  if (!is_application && has_partition_table(image)) {
    found.format = ImageFormat::merged;
    return;
  }
  SegmentWalk walk(image, kHeaderBytes);
  const bool whole = walk.take(found.segments, chip) && walk.close();
  found.damage = walk.damage();
  constexpr std::uint32_t kBootloaderMagic = 80;  // of esp_bootloader_desc_t: a byte and three reserved ones
  // A boot loader runs from RAM alone. Applications of old frameworks have no descriptor, but they map flash.
  const bool described = read_u32(image, kDescriptorAt) == kBootloaderMagic;
  if (!is_application && (described || (whole && chip != nullptr && !walk.maps_flash()))) {
    found.format = ImageFormat::bootloader;
  }
  if (!whole) return;
  auto end = walk.at();
  if (found.hash_appended && !take_hash(image, end, sha256, found.damage)) return;
  read_secure_boot(image, end, sha256, found);
}

}  // namespace

std::string_view to_string(ImageFormat format) {
  switch (format) {
    case ImageFormat::unknown:
      break;
    case ImageFormat::esp32:
      return "esp32";
    case ImageFormat::esp8266:
      return "esp8266";
    case ImageFormat::gzip:
      return "gzip";
    case ImageFormat::bootloader:
      return "bootloader";
    case ImageFormat::merged:
      return "merged";
  }
  return "unknown";
}

ImageInspection inspect_image(std::string_view image, Sha256 sha256) {
  constexpr std::string_view kGzipDeflate = "\x1F\x8B\x08";
  ImageInspection found;
  if (image.substr(0, kGzipDeflate.size()) == kGzipDeflate) {
    found.format = ImageFormat::gzip;
  } else if (read_esp8266(image, found)) {
    return found;
  } else if (is_esp32_header(image)) {
    read_esp32(image, sha256, found);
  } else if (const auto at = padded_bootloader(image)) {
    read_esp32(image.substr(*at), sha256, found);
    found.format = ImageFormat::merged;
    found.damage.clear();
  }
  return found;
}

JsonValue image_json(const ImageInspection& inspection) {
  JsonValue::Object object;
  const auto keep = [&](std::string_view name, const std::string& text) {
    if (!text.empty()) object.emplace(name, JsonValue{text});
  };
  keep("format", std::string(to_string(inspection.format)));
  keep("chip", inspection.chip);
  keep("project", inspection.project);
  keep("version", inspection.version);
  keep("damage", inspection.damage);
  if (!inspection.version.empty()) object.emplace("secure_version", JsonValue{inspection.secure_version});
  if (inspection.segments > 0) {
    std::array<char, 16> entry{};
    std::snprintf(entry.data(), entry.size(), "0x%08x", inspection.entry);
    object.emplace("entry", JsonValue{std::string(entry.data())});
    object.emplace("segments", JsonValue{std::int64_t{inspection.segments}});
    object.emplace("hash_appended", JsonValue{inspection.hash_appended});
  }
  if (inspection.secure_boot.signatures > 0) {
    object.emplace("secure_boot",
                   JsonValue{JsonValue::Object{
                       {"scheme", JsonValue{std::string(inspection.secure_boot.scheme)}},
                       {"signatures", JsonValue{std::int64_t{inspection.secure_boot.signatures}}}}});
  }
  return {std::move(object)};
}

}  // namespace ota::fleet
