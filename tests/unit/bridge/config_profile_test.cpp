#include "bridge/config_profile.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

namespace ota::bridge {
namespace {

using Environment = std::map<std::string, std::string>;

const std::string kSecret = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

class ProductionProfile : public ::testing::Test {
 protected:
  ProductionProfile() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ota-profile-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    std::ofstream(folder_ + "/secret") << kSecret << '\n';
    good_ = {{"OTA_PROFILE", "production"},
             {"DEVICE_AUTH", "token"},
             {"PUBLIC_URL", "https://ota.example"},
             {"TRUSTED_PROXIES", "10.0.0.1"},
             {"REQUIRE_SIGNED", "1"},
             {"MANIFEST_KEYS", OTA_SOURCE_DIR "/tests/golden/manifest/keys"},
             {"API_KEY_FILE", folder_ + "/secret"},
             {"DOWNLOAD_KEY_FILE", folder_ + "/secret"},
             {"MQTT_URL", "mqtts://broker.example:8883"},
             {"MQTT_USERNAME", "bridge"},
             {"MQTT_PASSWORD_FILE", folder_ + "/secret"}};
  }
  ~ProductionProfile() override { std::filesystem::remove_all(folder_); }

  static fleet::Expected<Config> read(Environment environment) {
    return read_config([&](const std::string& name) { return environment[name]; });
  }
  // The good environment with one change.
  fleet::Expected<Config> with(const std::string& name, const std::string& value) {
    auto environment = good_;
    environment[name] = value;
    return read(environment);
  }

  std::string folder_;
  Environment good_;
};

TEST_F(ProductionProfile, StartsWithEverythingInPlace) {
  const auto config = read(good_);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->api_key, kSecret) << "read from its file, without the line's end";
  EXPECT_EQ(config->mqtt_password, kSecret);
}

TEST_F(ProductionProfile, RefusesTheDefaultsAndNamesEachInOneList) {
  const auto config = read({{"OTA_PROFILE", "production"}});
  ASSERT_FALSE(config);
  for (const char* variable : {"DEVICE_AUTH: ", "HTTPS_CERT: ", "REQUIRE_SIGNED: ", "API_KEY: ",
                               "MQTT_USERNAME: ", "DOWNLOAD_KEY_FILE: "}) {
    EXPECT_NE(("\n" + config.error().message).find(std::string("\n") + variable), std::string::npos)
        << variable << " is missing in\n"
        << config.error().message;
  }
}

TEST_F(ProductionProfile, TheSameDefaultsStartInDevelopmentWithAWarning) {
  const auto config = read({});
  ASSERT_TRUE(config);
  ASSERT_FALSE(config->warnings.empty());
  EXPECT_NE(config->warnings.back().find("DEVICE_AUTH=open"), std::string::npos);
}

TEST_F(ProductionProfile, NamesWhatIsMissing) {
  const std::tuple<const char*, const char*, const char*> rows[] = {
      {"DEVICE_AUTH", "open", "DEVICE_AUTH"},
      {"PUBLIC_URL", "http://ota.example", "HTTPS_CERT"},
      {"TRUSTED_PROXIES", "", "HTTPS_CERT"},
      {"REQUIRE_SIGNED", "0", "REQUIRE_SIGNED"},
      {"API_KEY_FILE", "", "API_KEY"},
      {"DOWNLOAD_KEY_FILE", "", "DOWNLOAD_KEY_FILE"},
      {"MQTT_URL", "mqtt://10.0.0.7:1883", "MQTT_URL"},
      {"MQTT_URL", "mqtt://localhost.example:1883", "MQTT_URL"},
      {"MQTT_URL", "mqtt://127.0.0.1.example:1883", "MQTT_URL"},
      {"MQTT_PASSWORD_FILE", "", "MQTT_USERNAME"},
  };
  for (const auto& [name, value, named] : rows) {
    const auto config = with(name, value);
    ASSERT_FALSE(config) << name << '=' << value;
    EXPECT_EQ(config.error().message.rfind(std::string(named) + ": ", 0), 0U) << config.error().message;
    EXPECT_EQ(config.error().message.find('\n'), std::string::npos) << config.error().message;
  }
  auto weak = good_;
  weak.erase("API_KEY_FILE");
  weak["API_KEY"] = "change-me-change-me-change-me-please-1234";
  EXPECT_FALSE(read(weak));
}

TEST_F(ProductionProfile, ClientCertificatesNeedAListOfTheRevoked) {
  auto environment = good_;
  for (const char* name : {"HTTPS_CERT", "HTTPS_KEY", "HTTPS_CLIENT_CA"})
    environment[name] = folder_ + "/secret";
  const auto without = read(environment);
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().message.rfind("HTTPS_CLIENT_CRL: ", 0), 0U) << without.error().message;
  environment["HTTPS_CLIENT_CRL"] = folder_ + "/secret";
  EXPECT_TRUE(read(environment));
}

TEST_F(ProductionProfile, ABrokerOnTheSameMachineNeedsNoTls) {
  for (const char* url :
       {"mqtt://127.0.0.1:1883", "mqtt://localhost:1883", "mqtt://localhost", "mqtt://[::1]:1883", "off"})
    EXPECT_TRUE(with("MQTT_URL", url)) << url;
}

TEST_F(ProductionProfile, ASecretIsSetOnce) {
  const auto config = with("API_KEY", kSecret);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message.find(kSecret), std::string::npos) << "a secret is never told";
}

}  // namespace
}  // namespace ota::bridge
