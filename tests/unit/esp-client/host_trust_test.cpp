// The host port's keys, with manifests that otactl and openssl signed, and against a server that lies.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "esp-client/host/manifest_keys.hpp"

namespace ota::device::host {
namespace {

const std::string kFolder = std::string(OTA_SOURCE_DIR) + "/tests/golden/manifest/";

std::string text_of(const std::string& name) {
  std::ifstream file(kFolder + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

Offer golden_offer(const std::string& name) {
  Offer offer;
  const std::string text = text_of(name);
  Manifest manifest;
  EXPECT_EQ(parse_manifest(text, manifest), nullptr) << name;
  (void)offer.version.assign(manifest.version);
  (void)offer.sha256.assign(manifest.sha256);
  offer.size_bytes = manifest.size_bytes;
  (void)offer.manifest.assign(text);
  return offer;
}

class HostKeys : public ::testing::Test {
 protected:
  const char* judge(const Offer& offer) {
    Vouched vouched;
    return judge_manifest(offer, {"esp32", "1.0.0"}, keys_, vouched);
  }
  ManifestKeys keys_{kFolder + "keys"};
};

TEST_F(HostKeys, TakeEcdsaAndRsa) {
  EXPECT_EQ(judge(golden_offer("ecdsa.txt")), nullptr);
  EXPECT_EQ(judge(golden_offer("rsa.txt")), nullptr);
}

TEST_F(HostKeys, RefuseTheSignatureOfAnotherKey) {
  EXPECT_STREQ(judge(golden_offer("wrong_key.txt")), "its manifest is not signed by a key of this device");
}

TEST_F(HostKeys, RefuseAKeyThatTheDeviceDoesNotHave) {
  EXPECT_STREQ(judge(golden_offer("retired.txt")), "its manifest is not signed by a key of this device");
}

TEST_F(HostKeys, RefuseEveryChangedByte) {
  const std::string whole = text_of("ecdsa.txt");
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = changed[at] == '1' ? '2' : '1';
    Offer offer = golden_offer("ecdsa.txt");
    (void)offer.manifest.assign(changed);
    EXPECT_NE(judge(offer), nullptr) << "byte " << at;
  }
}

TEST(HostKeysFolder, WithoutAKeyIsRefused) {
  const auto folder = std::filesystem::path(::testing::TempDir()) / "no-keys";
  std::filesystem::create_directories(folder);
  EXPECT_THROW(ManifestKeys{folder.string()}, std::runtime_error);
}

}  // namespace
}  // namespace ota::device::host
