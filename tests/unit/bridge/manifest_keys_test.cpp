#include "bridge/manifest_keys.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "tests/support/golden.hpp"

namespace ota::bridge {
namespace {

const std::string kKeys = std::string(OTA_SOURCE_DIR) + "/tests/golden/manifest/keys";

fleet::Manifest manifest(const std::string& name) {
  return fleet::parse_manifest(tests::golden("manifest/" + name) + "\n").value();
}

std::string refusal(const fleet::Manifest& one) {
  const auto verified = ManifestKeys::load(kKeys).value()->verify(one);
  return verified ? "verified" : verified.error().message;
}

TEST(ManifestKeys, VerifyEcdsaAndRsa) {
  EXPECT_EQ(refusal(manifest("ecdsa.txt")), "verified");
  EXPECT_EQ(refusal(manifest("rsa.txt")), "verified");
}

TEST(ManifestKeys, RefuseWhatWasAlteredOrSignedByAnother) {
  auto altered = manifest("ecdsa.txt");
  altered.signed_text.replace(altered.signed_text.find("size=31"), 7, "size=32");
  EXPECT_NE(refusal(altered).find("does not fit"), std::string::npos);
  auto altered_rsa = manifest("rsa.txt");
  altered_rsa.signed_text += " ";
  EXPECT_NE(refusal(altered_rsa).find("does not fit"), std::string::npos);
  EXPECT_NE(refusal(manifest("wrong_key.txt")).find("does not fit"), std::string::npos);
  auto unknown = manifest("ecdsa.txt");
  unknown.key_id = "nobody";
  EXPECT_NE(refusal(unknown).find("not known"), std::string::npos);
}

TEST(ManifestKeys, RetiredOnesVerifyNothingNew) {
  EXPECT_NE(refusal(manifest("retired.txt")).find("retired"), std::string::npos);
}

TEST(ManifestKeys, AFolderWithSomethingElseStopsTheStart) {
  std::string folder = "/tmp/ota-keys-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  std::ofstream(folder + "/weak.pem") << "no key";
  const auto loaded = ManifestKeys::load(folder);
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().message.find("weak.pem"), std::string::npos);
  std::filesystem::remove_all(folder);
  EXPECT_FALSE(ManifestKeys::load(folder)) << "a folder that is not there is a mistake, not an empty one";
  EXPECT_TRUE(ManifestKeys::load("").value()->empty());
}

}  // namespace
}  // namespace ota::bridge
