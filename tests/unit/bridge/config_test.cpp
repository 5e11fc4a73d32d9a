#include "bridge/config.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "fleet/limits.hpp"

namespace ota::bridge {
namespace {

fleet::Expected<Config> read(std::map<std::string, std::string> environment) {
  return read_config([&](const std::string& name) { return environment[name]; });
}

TEST(Config, HasTheDocumentedDefaults) {
  const auto config = read({}).value();
  EXPECT_EQ(config.port, 8080);
  EXPECT_EQ(config.host, "0.0.0.0");
  EXPECT_EQ(config.storage_path, "/firmware");
  EXPECT_EQ(config.mqtt_root, "ota/v1");
  EXPECT_EQ(config.upload_bytes_max, fleet::kUploadBytesMax);
  EXPECT_EQ(config.http_threads, fleet::kHttpThreadsMax);
  EXPECT_EQ(config.device_messages_per_second, fleet::kDeviceMessagesPerSecond);
  EXPECT_TRUE(config.api_key.empty());
}

TEST(Config, NamesEveryBadVariableAtOnce) {
  const std::pair<const char*, const char*> bad[] = {
      {"PORT", "80 80"},
      {"PORT", "65536"},
      {"HTTP_THREADS", "x"},
      {"MQTT_URL", "http://x"},
      {"MQTT_URL", "mqtt://"},
      {"MQTT_URL", "mqtt://:1883"},
      {"MQTT_URL", "mqtt://broker:"},
      {"MQTT_URL", "mqtt://broker:0"},
      {"MQTT_URL", "mqtt://broker:65536"},
      {"MQTT_URL", "mqtt://broker:1883/ota"},
      {"MQTT_URL", "mqtt://a broker"},
      {"MQTT_URL", "mqtt://[::1"},
      {"MQTT_PASSWORD", "secret"},
      {"MQTT_ROOT", "ota/+"},
      {"LOG_LEVEL", "loud"},
      {"DB_WRITERS", "0"},
      {"PUBLIC_URL", "ota.example"},
      {"PUBLIC_URL", "http://"},
      {"PUBLIC_URL", "https:///path"},
      {"PUBLIC_URL", "https://ota.example/a b"},
      {"PUBLIC_URL", "https://ota.example:x"},
      {"PUBLIC_URL", "https://ota.example/?x=1"},
      {"UPLOAD_BYTES_MAX", "1e9"},
      {"REPLICA", "a/b"},
      {"DEVICE_MESSAGES_PER_SECOND", "fast"},
      {"DEVICE_AUTH", "basic"},
      {"OTA_PROFILE", "prod"},
      {"API_KEY_FILE", "/no/file"},
      {"MQTT_PASSWORD_FILE", "/no/file"},
      {"DOWNLOAD_KEY_FILE", "/no/file"},
      {"DOWNLOAD_URL_MINUTES", "0"},
      {"PUSH_PER_SECOND", "-1"},
      {"MQTT_SHARED_GROUP", "a#"},
      {"MODEL_CHIPS", "a=b"},
      {"INSPECT_IMAGES", "off"},
      {"TRUSTED_PROXIES", "::/0"},
      {"TRUSTED_PROXIES", "10.0.0.0/33"},
  };
  for (const auto& [name, value] : bad) {
    const auto config = read({{name, value}});
    ASSERT_FALSE(config) << name << '=' << value;
    EXPECT_EQ(config.error().message.rfind(std::string(name) + ": ", 0), 0U) << config.error().message;
  }
  const auto both = read({{"PORT", "x"}, {"LOG_LEVEL", "y"}});
  ASSERT_FALSE(both);
  EXPECT_NE(both.error().message.find("PORT"), std::string::npos);
  EXPECT_NE(both.error().message.find("LOG_LEVEL"), std::string::npos);
}

TEST(Config, TakesTheAddressesThatAreRight) {
  for (const char* url : {"mqtt://broker", "mqtts://broker.example:8883", "mqtt://10.0.0.1:1",
                          "mqtts://[::1]:8883", "mqtt://[fe80::1%eth0]", "off"}) {
    EXPECT_TRUE(read({{"MQTT_URL", url}})) << url;
  }
  for (const char* url : {"http://ota", "https://ota.example:8443/fleet", "http://[::1]:8080"})
    EXPECT_TRUE(read({{"PUBLIC_URL", url}})) << url;
}

TEST(Config, BridgesThatShareASubscriptionNeedNames) {
  EXPECT_FALSE(read({{"MQTT_SHARED_GROUP", "g"}}));
  EXPECT_TRUE(read({{"MQTT_SHARED_GROUP", "g"}, {"REPLICA", "r1"}}));
}

TEST(Config, TheFilesOfHttpsGoTogether) {
  const std::pair<const char*, std::map<std::string, std::string>> incomplete[] = {
      {"HTTPS_CERT: ", {{"HTTPS_CERT", "a.crt"}}},
      {"HTTPS_CERT: ", {{"HTTPS_KEY", "a.key"}}},
      {"HTTPS_CLIENT_CA: ", {{"HTTPS_CLIENT_CA", "ca.crt"}}},
      {"HTTPS_CLIENT_CRL: ",
       {{"HTTPS_CERT", "a.crt"}, {"HTTPS_KEY", "a.key"}, {"HTTPS_CLIENT_CRL", "crl.pem"}}},
  };
  for (const auto& [says, environment] : incomplete) {
    const auto config = read(environment);
    ASSERT_FALSE(config) << says;
    EXPECT_EQ(config.error().message.rfind(says, 0), 0U) << config.error().message;
  }
  EXPECT_TRUE(read({{"HTTPS_CERT", "a.crt"}, {"HTTPS_KEY", "a.key"}, {"HTTPS_CLIENT_CA", "ca.crt"}}));
}

TEST(Config, ReadsWhatUploadsAreHeldTo) {
  const auto config = read({{"MODEL_CHIPS", "kitchen=esp32c3"}, {"INSPECT_IMAGES", "strict"}}).value();
  EXPECT_EQ(config.images.model_chips.at("kitchen"), "esp32c3");
  EXPECT_TRUE(config.images.strict);
  EXPECT_FALSE(read({})->images.strict);
}

TEST(Config, WarnsOfASecretThatEverybodyMayRead) {
  const auto path = ::testing::TempDir() + "/api-key-" + std::to_string(::getpid());
  std::ofstream(path) << "0123456789abcdef0123456789abcdef\n";
  ::chmod(path.c_str(), 0644);
  const auto open = read({{"API_KEY_FILE", path}, {"DEVICE_AUTH", "token"}});
  ASSERT_TRUE(open);
  ASSERT_EQ(open->warnings.size(), 1U);
  EXPECT_EQ(open->warnings[0].rfind("API_KEY_FILE: every account", 0), 0U) << open->warnings[0];
  ::chmod(path.c_str(), 0640);
  EXPECT_TRUE(read({{"API_KEY_FILE", path}, {"DEVICE_AUTH", "token"}})->warnings.empty());
  ::unlink(path.c_str());
}

TEST(Config, CutsTheSlashOffThePublicUrl) {
  EXPECT_EQ(read({{"PUBLIC_URL", "https://ota.example/"}})->public_url, "https://ota.example");
}

}  // namespace
}  // namespace ota::bridge
