#include "fleet/image_inspection.hpp"

#include <gtest/gtest.h>

#include "fleet/strict_json.hpp"
#include "tests/support/esp_images.hpp"
#include "tests/support/fleet_builders.hpp"

namespace ota::fleet {
namespace {

using tests::ImageShape;

ImageInspection inspect(const std::string& image) {
  return inspect_image(image, &tests::test_sha256);
}

std::string flipped(std::string image, std::size_t at) {
  image[at] = static_cast<char>(image[at] ^ 0x10);
  return image;
}

TEST(ImageInspection, ReadsAnApplication) {
  ImageShape shape;
  shape.secure_version = 3;
  const auto found = inspect(tests::esp32_image(shape));
  EXPECT_EQ(found.format, ImageFormat::esp32);
  EXPECT_EQ(found.chip, "esp32");
  EXPECT_EQ(found.project, "demo");
  EXPECT_EQ(found.version, "1.1.0");
  EXPECT_EQ(found.secure_version, 3);
  EXPECT_EQ(found.entry, 0x40081234U);
  EXPECT_EQ(found.segments, 4);
  EXPECT_TRUE(found.hash_appended);
  EXPECT_EQ(found.secure_boot.signatures, 0);
  EXPECT_EQ(found.damage, "");
}

TEST(ImageInspection, TellsTheChipByItsNumber) {
  const std::pair<std::uint16_t, const char*> chips[] = {
      {2, "esp32s2"},  {5, "esp32c3"},   {9, "esp32s3"},  {12, "esp32c2"},  {13, "esp32c6"}, {16, "esp32h2"},
      {18, "esp32p4"}, {20, "esp32c61"}, {23, "esp32c5"}, {25, "esp32h21"}, {28, "esp32h4"}, {99, "id 99"}};
  for (const auto& [id, name] : chips) {
    ImageShape shape;
    shape.chip_id = id;
    const auto found = inspect(tests::esp32_image(shape));
    EXPECT_EQ(found.format, ImageFormat::esp32) << name;
    EXPECT_EQ(found.chip, name);
  }
}

TEST(ImageInspection, ADescriptorOfHostileBytesBecomesPrintable) {
  ImageShape shape;
  shape.version = std::string(32, 'v');
  shape.project = "a\xFF\n\"b";
  const auto found = inspect(tests::esp32_image(shape));
  EXPECT_EQ(found.version, std::string(32, 'v'));
  EXPECT_EQ(found.project, "a??\"b");
  EXPECT_TRUE(parse_json(to_json(image_json(found))));
}

TEST(ImageInspection, AnApplicationOfAnOldFrameworkHasNoDescriptor) {
  ImageShape shape;
  shape.has_descriptor = false;
  const auto found = inspect(tests::esp32_image(shape));
  EXPECT_EQ(found.format, ImageFormat::esp32);
  EXPECT_EQ(found.version, "");
}

TEST(ImageInspection, EveryTruncationIsToldAndWhereItIs) {
  const auto whole = tests::esp32_image();
  for (std::size_t size = 24; size < whole.size(); ++size) {
    const auto found = inspect(whole.substr(0, size));
    ASSERT_EQ(found.format, ImageFormat::esp32) << size;
    ASSERT_EQ(found.damage.rfind("it is truncated: ", 0), 0U) << size << found.damage;
    ASSERT_NE(found.damage.find("the file has " + std::to_string(size)), std::string::npos) << found.damage;
  }
}

TEST(ImageInspection, AFlippedByteIsToldByTheChecksumOrTheHash) {
  const auto whole = tests::esp32_image();
  EXPECT_EQ(inspect(flipped(whole, 0x200)).damage, "it is damaged: its checksum is wrong");
  EXPECT_EQ(inspect(flipped(whole, whole.size() - 33)).damage, "it is damaged: its checksum is wrong");
  EXPECT_EQ(inspect(flipped(whole, whole.size() - 1)).damage, "it is damaged: its SHA-256 is wrong");
  EXPECT_EQ(inspect(flipped(whole, 20)).damage, "it is damaged: its SHA-256 is wrong") << "in the header";
}

TEST(ImageInspection, ALengthThatNoSegmentHas) {
  auto odd = tests::esp32_image();
  odd[24 + 4] = '\x02';
  EXPECT_NE(inspect(odd).damage.find("segment 1 of 4 has 514 bytes"), std::string::npos)
      << inspect(odd).damage;
  auto huge = tests::esp32_image();
  huge[24 + 7] = '\xFF';
  EXPECT_NE(inspect(huge).damage.find("which no segment has"), std::string::npos) << inspect(huge).damage;
}

TEST(ImageInspection, WhatFollowsAnImageDoesNotHarmIt) {
  EXPECT_EQ(inspect(tests::esp32_image() + std::string(10000, '\xFF')).damage, "");
}

TEST(ImageInspection, BootLoadersAreToldWithAndWithoutADescription) {
  EXPECT_EQ(inspect(tests::bootloader_image()).format, ImageFormat::bootloader);
  EXPECT_EQ(inspect(tests::bootloader_image(0, true)).format, ImageFormat::bootloader);
  EXPECT_EQ(inspect(tests::bootloader_image(99, true)).format, ImageFormat::bootloader);
  EXPECT_EQ(inspect(tests::bootloader_image(0, true).substr(0, 0x100)).format, ImageFormat::bootloader);
}

TEST(ImageInspection, MergedImagesAreToldWhereverTheirFlashBegins) {
  const auto application = tests::esp32_image();
  EXPECT_EQ(inspect(tests::merged_image(application, 0)).format, ImageFormat::merged);
  EXPECT_EQ(inspect(tests::merged_image(application, 0x1000)).format, ImageFormat::merged);
  EXPECT_EQ(inspect(tests::merged_image(application, 0x2000)).format, ImageFormat::merged);
  EXPECT_EQ(inspect(tests::merged_image(application, 0x1000, 0x1000)).format, ImageFormat::merged);
  EXPECT_EQ(inspect(tests::merged_image(application, 0x1000)).chip, "esp32");
}

TEST(ImageInspection, SecureBootSignaturesAreCounted) {
  for (const int blocks : {1, 2, 3}) {
    const auto found = inspect(tests::with_secure_boot(tests::esp32_image(), blocks));
    EXPECT_EQ(found.secure_boot.signatures, blocks);
    EXPECT_EQ(found.secure_boot.scheme, "rsa");
    EXPECT_EQ(found.damage, "");
  }
  EXPECT_EQ(inspect(tests::with_secure_boot(tests::esp32_image(), 1, 3)).secure_boot.scheme, "ecdsa");
}

TEST(ImageInspection, ASignatureBlockNeedsItsCrcAndTheRightBytes) {
  const auto signed_image = tests::with_secure_boot(tests::esp32_image(), 1);
  EXPECT_EQ(inspect(flipped(signed_image, signed_image.size() - 4096 + 100)).secure_boot.signatures, 0);
  EXPECT_EQ(inspect(tests::with_secure_boot(tests::esp32_image(), 1, 9)).secure_boot.signatures, 0);
  EXPECT_EQ(inspect(signed_image.substr(0, signed_image.size() - 4000)).secure_boot.signatures, 0);
  ImageShape other;
  other.project = "other";
  auto swapped = signed_image;
  const auto image = tests::esp32_image(other);
  swapped.replace(0, image.size(), image);
  EXPECT_NE(inspect(swapped).damage.find("signature is one of other bytes"), std::string::npos);
}

TEST(ImageInspection, TheFormsOfTheEsp8266) {
  for (const auto& image : {tests::esp8266_image(), tests::esp8266_image(0x40100004, true),
                            tests::esp8266_v2_image(), tests::esp8266_arduino_image()}) {
    const auto found = inspect(image);
    EXPECT_EQ(found.format, ImageFormat::esp8266);
    EXPECT_EQ(found.chip, "esp8266");
    EXPECT_EQ(found.segments, 2);
    EXPECT_EQ(found.damage, "");
    EXPECT_NE(inspect(image.substr(0, image.size() - 40)).damage, "");
  }
  EXPECT_NE(inspect(flipped(tests::esp8266_image(), 0x40)).damage, "");
  EXPECT_NE(inspect(flipped(tests::esp8266_v2_image(), 0x270)).damage, "") << "behind the second header";
  EXPECT_EQ(inspect(tests::esp8266_image(0x4010F000)).format, ImageFormat::bootloader);
  EXPECT_EQ(inspect(tests::esp8266_arduino_image().substr(0, 0x1000)).format, ImageFormat::bootloader);
}

TEST(ImageInspection, GzipAndTheUnknown) {
  EXPECT_EQ(inspect("\x1F\x8B\x08 and so on").format, ImageFormat::gzip);
  for (const std::string bytes : {"", "\xE9", "image",
                                  "\x7F"
                                  "ELF",
                                  "PK\x03\x04"}) {
    EXPECT_EQ(inspect(bytes).format, ImageFormat::unknown);
  }
  EXPECT_EQ(inspect(std::string(100'000, '\xFF')).format, ImageFormat::unknown);
  EXPECT_EQ(inspect(std::string(100'000, '\xE9')).format, ImageFormat::unknown)
      << "the magic byte alone is little";
  EXPECT_EQ(to_json(image_json(inspect("x"))), R"({"format":"unknown"})");
}

}  // namespace
}  // namespace ota::fleet
