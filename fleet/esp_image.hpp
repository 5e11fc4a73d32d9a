#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fleet/chips.hpp"

namespace ota::fleet {

/// Little-endian numbers of an image. Reads are zero beyond its end; whoever takes one for real tests the
/// size first.
[[nodiscard]] std::uint8_t read_u8(std::string_view bytes, std::size_t at);
[[nodiscard]] std::uint16_t read_u16(std::string_view bytes, std::size_t at);
[[nodiscard]] std::uint32_t read_u32(std::string_view bytes, std::size_t at);

inline constexpr std::uint8_t kEspMagic = 0xE9;
inline constexpr std::size_t kShortHeaderBytes = 8;  ///< all the ESP8266's ROM knows
inline constexpr std::size_t kHeaderBytes = 24;
inline constexpr std::size_t kSegmentHeaderBytes = 8;

/// Whether an image begins with that magic byte, 1 to 16 segments and one of `flash_modes` flash modes.
[[nodiscard]] bool is_esp_header(std::string_view image, std::uint8_t magic, std::uint8_t flash_modes);

/// What an application says of itself (esp_app_desc_t); texts are made printable.
struct AppDescriptor {
  std::uint32_t secure_version = 0;
  std::string version;
  std::string project;
};
inline constexpr std::size_t kDescriptorAt =
    kHeaderBytes + kSegmentHeaderBytes;  ///< the first segment's begin
/// Of an image with the long header; nullopt where its first segment begins with something else.
[[nodiscard]] std::optional<AppDescriptor> read_descriptor(std::string_view image);

/// "it is truncated: WHAT ends at byte N, the file has M".
[[nodiscard]] std::string truncated(const std::string& what, std::size_t needed, std::size_t size);

/// Goes over the segments of one image in a file and keeps their checksum.
class SegmentWalk {
 public:
  /// `at` is the first segment's header.
  SegmentWalk(std::string_view file, std::size_t at) : file_(file), at_(at) {}

  /// Whether `count` segments lie inside the file. With a `chip` lengths must be whole words, as its boot
  /// loader demands (esp_image_format.c: verify_segment_header).
  bool take(int count, const Chip* chip);
  /// Takes one segment that the checksum leaves out.
  bool skip_one();
  void skip(std::size_t bytes) { at_ += bytes; }
  /// The checksum, the last byte of a block of 16: whether it is in the file, and right.
  bool close(bool tested = true);

  [[nodiscard]] std::size_t at() const { return at_; }
  /// Whether a segment so far is mapped from flash.
  [[nodiscard]] bool maps_flash() const { return maps_flash_; }
  /// Why the last call answered false.
  [[nodiscard]] const std::string& damage() const { return damage_; }

 private:
  static constexpr std::uint8_t kChecksumSeed = 0xEF;
  bool end(std::string damage);

  std::string_view file_;
  std::size_t at_;
  std::uint8_t checksum_ = kChecksumSeed;
  bool maps_flash_ = false;
  std::string damage_;
};

}  // namespace ota::fleet
