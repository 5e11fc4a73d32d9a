#include "fleet/manifest.hpp"

#include <gtest/gtest.h>

#include "tests/support/golden.hpp"

namespace ota::fleet {
namespace {

const std::string kText = tests::golden("manifest/ecdsa.txt") + "\n";

std::string with(const std::string& line, const std::string& other) {
  auto text = kText;
  const auto at = text.find(line);
  return text.replace(at, line.size(), other);
}

TEST(Manifest, IsReadAndWrittenAgainByteForByte) {
  const auto manifest = parse_manifest(kText);
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->model, "esp32");
  EXPECT_EQ(manifest->version, "1.1.0");
  EXPECT_EQ(manifest->sequence, 7);
  EXPECT_EQ(manifest->min_version, "1.0.0");
  EXPECT_EQ(manifest->key_id, "ec-1");
  EXPECT_EQ(manifest->expires, std::nullopt);
  EXPECT_EQ(manifest_text(*manifest), manifest->signed_text);
  EXPECT_EQ(manifest->signed_text + "signature=" + manifest->signature + "\n", kText);
}

TEST(Manifest, ExpiryIsInSeconds) {
  const auto manifest = parse_manifest(with("key=", "expires=1924905600\nkey="));
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->expires, Time(std::chrono::seconds(1924905600)));
  EXPECT_EQ(manifest_text(*manifest), manifest->signed_text);
}

struct Wrong {
  const char* line;
  const char* other;
  const char* names;
};
class WrongManifests : public testing::TestWithParam<Wrong> {};

TEST_P(WrongManifests, AreRefusedByTheLine) {
  const auto& [line, other, names] = GetParam();
  const auto manifest = parse_manifest(with(line, other));
  ASSERT_FALSE(manifest) << with(line, other);
  EXPECT_EQ(manifest.error().kind, ErrorKind::invalid);
  EXPECT_NE(manifest.error().message.find(names), std::string::npos) << manifest.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    Lines, WrongManifests,
    testing::Values(Wrong{"ota-manifest-v1", "ota-manifest-v2", "first line"},
                    Wrong{"ota-manifest-v1\n", "ota-manifest-v1\r\n", "must end with LF alone"},
                    Wrong{"model=esp32\n", "", "model"}, Wrong{"model=esp32", "model=es p32", "model"},
                    Wrong{"model=esp32\n", "model=esp32\nmodel=esp32\n", "version"},
                    Wrong{"sequence=7", "sequence=07", "sequence"},
                    Wrong{"sequence=7", "sequence=-7", "sequence"},
                    Wrong{"sequence=7", "sequence=1000000000000000000",
                          "sequence must be a whole number from 1 to 999999999999999999 without"},
                    Wrong{"min_version=1.0.0", "min_version=../x", "min_version"},
                    Wrong{"size=31", "size=0", "size"}, Wrong{"size=31", "size=31 ", "size"},
                    Wrong{"sha256=a4", "sha256=A4", "sha256"}, Wrong{"sha256=a4", "sha256=4", "sha256"},
                    Wrong{"key=ec-1", "key=", "key"}, Wrong{"key=ec-1", "expires=soon\nkey=ec-1", "expires"},
                    Wrong{"signature=M", "signature=!", "signature"},
                    Wrong{"signature=M", "signature=", "signature"},
                    Wrong{"signature=M", "Signature=M", "signature"},
                    Wrong{"version=1.1.0\n", "version=1.1.0\r\n", "version"}));

TEST(Manifest, SequencesHaveUpTo18Digits) {
  const auto manifest = parse_manifest(with("sequence=7", "sequence=999999999999999999"));
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->sequence, 999999999999999999);
}

TEST(Manifest, NothingMayFollowAndTheLastLineMustEnd) {
  EXPECT_FALSE(parse_manifest(kText + "\n"));
  EXPECT_FALSE(parse_manifest(kText + "extra=1\n"));
  EXPECT_FALSE(parse_manifest(kText.substr(0, kText.size() - 1)));
  EXPECT_FALSE(parse_manifest(""));
  EXPECT_FALSE(parse_manifest(std::string(2000, 'a')));
}

}  // namespace
}  // namespace ota::fleet
