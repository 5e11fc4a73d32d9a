#include "fleet/image_policy.hpp"

#include <gtest/gtest.h>

#include "tests/support/esp_images.hpp"
#include "tests/support/fleet_builders.hpp"

namespace ota::fleet {
namespace {

using tests::ImageShape;

std::string objection(const std::string& image, const std::string& model,
                      const std::string& version = "1.1.0", const ImagePolicy& policy = {}) {
  const auto judged = judge_image(inspect_image(image, &tests::test_sha256), model, version, policy);
  return judged ? "" : judged.error().message;
}

std::string image_of(const std::string& version, std::uint16_t chip_id = 0) {
  ImageShape shape;
  shape.version = version;
  shape.chip_id = chip_id;
  return tests::esp32_image(shape);
}

// Every kind of image against every certainty about the model; a word of the objection, or nothing.
TEST(ImagePolicy, TheTable) {
  const ImagePolicy configured{{{"kitchen", "esp32"}, {"bell", "esp8266"}}, false};
  const ImagePolicy strict{{}, true};
  const std::string random = "random bytes";
  const std::string gzip = "\x1F\x8B\x08 and so on";
  const auto merged = tests::merged_image(image_of("1.1.0"), 0x1000);
  const auto truncated = image_of("1.1.0").substr(0, 1000);
  struct Row {
    const char* what;
    std::string image;
    const char *no_chip, *by_name, *for_esp32, *for_esp8266, *demanded;
  };
  const Row rows[] = {
      // image                                 any    esp32         kitchen       bell           strict
      {"application", image_of("1.1.0"), "", "", "", "for esp32", ""},
      {"other chip", image_of("1.1.0", 5), "", "for esp32c3", "for esp32c3", "for esp32c3", ""},
      {"esp8266", tests::esp8266_image(), "", "for esp8266", "for esp8266", "", ""},
      {"gzip", gzip, "", "gzip", "gzip", "", ""},
      {"boot loader", tests::bootloader_image(), "boot loader", "boot loader", "boot loader", "boot loader",
       "boot loader"},
      {"merged", merged, "merged", "merged", "merged", "merged", "merged"},
      {"truncated", truncated, "truncated", "truncated", "truncated", "for esp32", "truncated"},
      {"other version", image_of("1.0.0"), "version 1.0.0", "version 1.0.0", "version 1.0.0", "for esp32",
       "version 1.0.0"},
      {"unknown", random, "", "", "no image", "no image", "no image"},
  };
  const auto expect = [](const Row& row, const std::string& said, const char* word) {
    if (*word == '\0') {
      EXPECT_EQ(said, "") << row.what;
    } else {
      EXPECT_NE(said.find(word), std::string::npos) << row.what << ": " << said;
    }
  };
  for (const auto& row : rows) {
    expect(row, objection(row.image, "any"), row.no_chip);
    expect(row, objection(row.image, "esp32"), row.by_name);
    expect(row, objection(row.image, "kitchen", "1.1.0", configured), row.for_esp32);
    expect(row, objection(row.image, "bell", "1.1.0", configured), row.for_esp8266);
    expect(row, objection(row.image, "any", "1.1.0", strict), row.demanded);
  }
}

TEST(ImagePolicy, VersionsAreComparedAsVersions) {
  for (const auto& [said, given] : std::vector<std::pair<std::string, std::string>>{
           {"v1.1.0", "1.1.0"},
           {"1.1", "1.1.0"},
           {"1.1.0+build.7", "1.1.0"},
           {"v1.1.0-3-gabcdef0", "1.1.0-3-gabcdef0"},
           {"1", "1.1.0"},        // ESP-IDF's where a project names none
           {"1234567", "1.1.0"},  // a bare hash
           {"3f2a1bc-dirty", "1.1.0"},
           {"esp-idf: v4.4.7 38eeba213a", "1.1.0"},  // Arduino's libraries
           {"", "1.1.0"},
           {"1.1.0-a-very-long-prerelease.on", "1.1.0-a-very-long-prerelease.one"}}) {  // cut at 31
    EXPECT_EQ(objection(image_of(said), "any", given), "") << said;
  }
  for (const std::string said :
       {"1.1.1", "v1.0.9", "1.1.0-dirty", "v1.1.0-3-gabcdef0-dirty", "v1.1.0-4-gabcdef0"}) {
    EXPECT_NE(objection(image_of(said), "any", "1.1.0").find(said), std::string::npos) << said;
  }
}

TEST(ImagePolicy, TheConfiguredChipStandsAboveTheName) {
  const ImagePolicy policy{{{"esp32", "esp32c3"}}, false};
  EXPECT_EQ(objection(image_of("1.1.0", 5), "esp32", "1.1.0", policy), "");
  EXPECT_NE(objection(image_of("1.1.0", 0), "esp32", "1.1.0", policy).find("by MODEL_CHIPS"),
            std::string::npos);
  EXPECT_NE(objection(image_of("1.1.0", 5), "esp32").find("by its name"), std::string::npos);
}

TEST(ImagePolicy, WhatANameSays) {
  for (const auto& [model, chip] :
       std::vector<std::pair<std::string, std::string>>{{"esp32", "esp32"},
                                                        {"ESP32", "esp32"},
                                                        {"esp32s3", "esp32s3"},
                                                        {"ESP32-S3", "esp32s3"},
                                                        {"esp32_c3", "esp32c3"},
                                                        {"esp32c3-kitchen", "esp32c3"},
                                                        {"esp32-c6.v2", "esp32c6"},
                                                        {"esp8266", "esp8266"},
                                                        {"ESP8266-bell", "esp8266"},
                                                        {"esp32c61", "esp32c61"},
                                                        {"esp32c61-a", "esp32c61"},
                                                        {"esp32-cam", ""},
                                                        {"esp32-", ""},
                                                        {"esp32s3x", ""},
                                                        {"esp32-s31", ""},
                                                        {"sensor", ""},
                                                        {"", ""},
                                                        {"my-esp32", ""}}) {
    EXPECT_EQ(chip_of_name(model), chip) << model;
  }
}

TEST(ImagePolicy, ModelChipsAreReadStrictly) {
  const auto chips = parse_model_chips("esp32-cam=esp32, kitchen=esp32c3");
  ASSERT_TRUE(chips) << chips.error().message;
  EXPECT_EQ(*chips, (ModelChips{{"esp32-cam", "esp32"}, {"kitchen", "esp32c3"}}));
  EXPECT_TRUE(parse_model_chips("")->empty());
  for (const auto& [text, word] :
       std::vector<std::pair<std::string, std::string>>{{"kitchen", "model=chip"},
                                                        {"a=esp32,", ""},
                                                        {"a=esp32,,b=esp32", "model=chip"},
                                                        {"a=esp31", "known are esp8266"},
                                                        {"=esp32", "model"},
                                                        {"a b=esp32", "model"},
                                                        {"a=esp32,a=esp32c3", "twice"},
                                                        {"a=ESP32", "esp32"},
                                                        {"a==", "chip"}}) {
    const auto read = parse_model_chips(text);
    if (word.empty()) {
      EXPECT_TRUE(read) << text;
    } else {
      ASSERT_FALSE(read) << text;
      EXPECT_NE(read.error().message.find(word), std::string::npos) << read.error().message;
    }
  }
}

}  // namespace
}  // namespace ota::fleet
