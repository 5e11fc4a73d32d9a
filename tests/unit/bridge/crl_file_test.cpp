// The list's file on a real authority: a broken list never takes the place of a good one.
#include "bridge/crl_file.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace ota::bridge {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class CrlFileTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = fs::path(::testing::TempDir()) / ("crl-file-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    authority_ = make_authority("ca");
  }
  static void TearDownTestSuite() {
    authority_.reset();
    fs::remove_all(folder_);
  }
  static std::unique_ptr<IssuingAuthority> make_authority(const std::string& name) {
    const auto at = (folder_ / name).string();
    EXPECT_EQ(std::system((std::string(OTA_SOURCE_DIR) + "/broker-config/ca.sh '" + at + "' init").c_str()),
              0);
    return IssuingAuthority::load(at + "/chain.crt", at + "/issuing.key", 825).value();
  }
  static std::string list_of(const IssuingAuthority& authority, const std::string& serial) {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    return authority.sign_list({{serial, now}}, now, now + 90 * 24h).value();
  }
  static std::string bytes() {
    std::ifstream in(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static std::string path() { return (folder_ / "crl.pem").string(); }

  static fs::path folder_;
  static std::unique_ptr<IssuingAuthority> authority_;
  CrlFile file_{path(), *authority_};
};

fs::path CrlFileTest::folder_;
std::unique_ptr<IssuingAuthority> CrlFileTest::authority_;

TEST_F(CrlFileTest, NoBrokenListTakesThePlaceOfAGoodOne) {
  const auto good = list_of(*authority_, "4a");
  ASSERT_TRUE(file_.replace(good));
  const auto next = list_of(*authority_, "4b");
  const auto other = make_authority("other");
  for (const auto& broken : {std::string(), std::string("garbage"), next.substr(0, next.size() / 2),
                             next.substr(0, next.size() - 10), list_of(*other, "4b")}) {
    EXPECT_FALSE(file_.replace(broken)) << broken;
    EXPECT_EQ(bytes(), good);
  }
  ASSERT_TRUE(file_.replace(next));
  EXPECT_EQ(bytes(), next);
}

}  // namespace
}  // namespace ota::bridge
