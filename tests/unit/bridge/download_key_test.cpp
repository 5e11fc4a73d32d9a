#include "bridge/download_key.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "bridge/secret_file.hpp"
#include "tests/support/refused.hpp"

namespace ota::bridge {
namespace {

using test_support::refused;

const std::string kOne = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const std::string kTwo = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=";
const fleet::TicketClaim kClaim{"1.1.0", "esp32", "dev1", 1600};

class DownloadKeyFile : public ::testing::Test {
 protected:
  DownloadKeyFile() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ota-key-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~DownloadKeyFile() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& text) {
    std::ofstream(folder_ + "/key") << text;
    return folder_ + "/key";
  }
  std::unique_ptr<DownloadKey> load(const std::string& text) {
    return DownloadKey::load(write(text)).value();
  }

  std::string folder_;
};

// openssl mac -digest SHA256 -macopt key:$kOne -in claim HMAC, its first 16 bytes as base64url.
TEST_F(DownloadKeyFile, SignsAsAnyoneWithTheKeyWould) {
  EXPECT_EQ(load(kOne)->sign(kClaim), "dwqnY8JUj4dcQM82vkRCkw");
}

TEST_F(DownloadKeyFile, VerifiesItsOwnTicketsAlone) {
  const auto key = load(kOne + "\n");
  auto ticket = key->sign(kClaim);
  EXPECT_TRUE(key->verify(kClaim, ticket));
  auto other = kClaim;
  other.expires_s += 1;
  EXPECT_FALSE(key->verify(other, ticket));
  EXPECT_FALSE(key->verify(kClaim, ""));
  EXPECT_FALSE(key->verify(kClaim, ticket + "A"));
  EXPECT_FALSE(key->verify(kClaim, ticket.substr(1)));
  EXPECT_FALSE(load(kTwo)->verify(kClaim, ticket));
  ticket[0] = ticket[0] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(key->verify(kClaim, ticket));
}

TEST_F(DownloadKeyFile, ANewKeySignsWhileTheOldOneStillVerifies) {
  const auto old_ticket = load(kOne)->sign(kClaim);
  const auto both = load(kTwo + "\r\n" + kOne + "\n");
  EXPECT_EQ(both->sign(kClaim), load(kTwo)->sign(kClaim));
  EXPECT_TRUE(both->verify(kClaim, old_ticket));
}

TEST_F(DownloadKeyFile, WeakOrBrokenFilesAreRefusedWithTheWayToMakeOne) {
  for (const std::string& text :
       {std::string("short"), std::string(64, 'a'), kOne + "\n\n" + kTwo, kOne + "\n" + kTwo + "\n" + kOne,
        kOne + " # the key", std::string(42, 'x') + "abcdefghijk\x01", std::string(5000, 'k')}) {
    const auto key = DownloadKey::load(write(text));
    ASSERT_FALSE(key) << text;
    EXPECT_EQ(key.error().message.find(kOne), std::string::npos) << "a secret is never told";
  }
  EXPECT_NE(refused(DownloadKey::load(write("short"))).message.find("openssl rand"), std::string::npos);
  EXPECT_FALSE(DownloadKey::load(folder_ + "/none"));
  EXPECT_FALSE(DownloadKey::load(folder_)) << "a folder is no key";
  EXPECT_EQ(DownloadKey::load("").value(), nullptr);
}

TEST_F(DownloadKeyFile, SecretsAreReadWithoutTheirLinesEnd) {
  EXPECT_EQ(read_secret_file(write("correct horse\n")).value(), "correct horse");
  EXPECT_FALSE(read_secret_file(write("\n")));
  EXPECT_FALSE(read_secret_file(write("")));
}

TEST(StrongSecret, IsLongAndNoExample) {
  EXPECT_TRUE(is_strong_secret(kOne, 32));
  EXPECT_TRUE(is_strong_secret("correct-horse-battery-staple-42-km", 32));
  for (const char* weak : {"", "short-but-varied-123", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                           "change-me-0123456789-abcdefghijklmnop", "Your_API_Key_0123456789_abcdefghijk"}) {
    EXPECT_FALSE(is_strong_secret(weak, 32)) << weak;
  }
}

}  // namespace
}  // namespace ota::bridge
