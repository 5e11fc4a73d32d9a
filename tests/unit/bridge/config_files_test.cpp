#include "bridge/config_files.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace ota::bridge {
namespace {

namespace fs = std::filesystem;

class ConfigFiles : public ::testing::Test {
 protected:
  ConfigFiles() {
    auto pattern = (fs::temp_directory_path() / "ota-config-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    config_.storage_path = folder_.string();
  }
  ~ConfigFiles() override { fs::remove_all(folder_); }

  std::string file(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  std::string problems() {
    const auto tested = test_named_files(config_);
    return tested ? "" : tested.error().message;
  }

  fs::path folder_;
  Config config_;
};

TEST_F(ConfigFiles, AFolderThatIsThereOrCanBeMadeIsRight) {
  EXPECT_EQ(problems(), "");
  config_.storage_path = (folder_ / "not" / "yet").string();
  EXPECT_EQ(problems(), "");
  EXPECT_FALSE(fs::exists(folder_ / "not")) << "a test makes nothing";
}

TEST_F(ConfigFiles, AFileInTheFoldersPlaceIsNamed) {
  for (const auto& path : {file("images", "x"), file("images", "x") + "/below"}) {
    config_.storage_path = path;
    EXPECT_EQ(problems(), "FIRMWARE_STORAGE_PATH: '" + (folder_ / "images").string() + "' is no directory");
  }
}

TEST_F(ConfigFiles, WhatIsNoPemIsNamedWithItsVariable) {
  config_.mqtt_ca = (folder_ / "missing").string();
  config_.mqtt_cert = file("cert", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  config_.mqtt_key = file("key", "hello");
  const auto said = problems();
  EXPECT_NE(said.find("MQTT_CA: '" + config_.mqtt_ca + "' cannot be read"), std::string::npos) << said;
  EXPECT_NE(said.find("MQTT_CERT: '" + config_.mqtt_cert + "' holds no certificate"), std::string::npos)
      << said;
  EXPECT_NE(said.find("MQTT_KEY: '" + config_.mqtt_key + "' holds no private key"), std::string::npos)
      << said;
}

}  // namespace
}  // namespace ota::bridge
