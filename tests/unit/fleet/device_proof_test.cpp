#include "fleet/device_proof.hpp"

#include <gtest/gtest.h>

#include "tests/support/fleet_builders.hpp"
#include "tests/support/refused.hpp"

namespace ota::fleet {
namespace {

using test_support::refused;

KeyDigest digest(const std::string& token) {
  return tests::test_sha256(token);
}

const DeviceTokens kStored = {{"a", digest("token of a")}, {"b", digest("token of b")}};

TEST(DeviceProof, ItsOwnTokenProvesADevice) {
  EXPECT_TRUE(judge_token("a", digest("token of a"), kStored));
  EXPECT_TRUE(judge_token("b", digest("token of b"), kStored));
}

TEST(DeviceProof, AnotherDevicesTokenIsForbidden) {
  EXPECT_EQ(refused(judge_token("a", digest("token of b"), kStored)).kind, ErrorKind::forbidden);
  EXPECT_EQ(refused(judge_token("new", digest("token of b"), kStored)).kind, ErrorKind::forbidden);
}

TEST(DeviceProof, ATokenOfNobodyIsUnauthorized) {
  EXPECT_EQ(refused(judge_token("a", digest("guessed"), kStored)).kind, ErrorKind::unauthorized);
  EXPECT_EQ(refused(judge_token("new", digest("guessed"), kStored)).kind, ErrorKind::unauthorized);
  EXPECT_EQ(refused(judge_token("a", digest("token of a"), {})).kind, ErrorKind::unauthorized);
}

TEST(DeviceProof, TokensAreLongAndKnownByTheirBeginning) {
  KeyBytes random{};
  random[31] = 0xAB;
  EXPECT_EQ(device_token_text(random), "otd_" + std::string(62, '0') + "ab");
}

TEST(DeviceProof, NamesOfDeviceAuth) {
  for (const auto auth : {DeviceAuth::open, DeviceAuth::token, DeviceAuth::mtls})
    EXPECT_EQ(parse_device_auth(to_string(auth)), auth);
  EXPECT_FALSE(parse_device_auth(""));
  EXPECT_FALSE(parse_device_auth("Token"));
}

}  // namespace
}  // namespace ota::fleet
