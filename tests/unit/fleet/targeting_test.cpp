#include "fleet/targeting.hpp"

#include <gtest/gtest.h>

#include "fleet/strict_json.hpp"
#include "tests/support/fleet_builders.hpp"

namespace ota::fleet {
namespace {

using tests::device;
using tests::test_sha256;

TEST(Bucket, MatchesTheContractsVectors) {
  const std::pair<const char*, int> vectors[] = {{"esp32_001", 69}, {"esp32_002", 12},      {"esp32_003", 90},
                                                 {"device1", 60},   {"ESP32-AABBCCDD", 31}, {"test001", 24}};
  for (const auto& [id, bucket] : vectors) EXPECT_EQ(bucket_of(id, "", test_sha256), bucket) << id;
}

TEST(Bucket, SaltSpreadsTheBurden) {
  EXPECT_EQ(bucket_of("esp32_001", "s", test_sha256), bucket_of("s:esp32_001", "", test_sha256));
  EXPECT_NE(bucket_of("esp32_001", "s", test_sha256), 69);
}

TEST(Target, CanaryTakesBucketsBelowThePercentageAndRaisingOnlyAdds) {
  Target target;
  target.type = TargetType::canary;
  target.percentage = 12;
  EXPECT_EQ(membership_of(device("esp32_002", "1"), target, test_sha256), Membership::bucket_above);
  target.percentage = 13;
  EXPECT_EQ(membership_of(device("esp32_002", "1"), target, test_sha256), Membership::in);
  for (int i = 0; i < 500; ++i) {
    const auto one = device("device-" + std::to_string(i), "1");
    bool was_in = false;
    for (target.percentage = 0; target.percentage <= 100; target.percentage += 5) {
      const bool is_in = membership_of(one, target, test_sha256) == Membership::in;
      EXPECT_TRUE(is_in || !was_in);
      was_in = is_in;
    }
    EXPECT_TRUE(was_in);
  }
}

TEST(Target, SpecificListsDevicesOrMacsAndIgnoresThePercentage) {
  Target target;
  target.type = TargetType::specific;
  target.percentage = 0;
  target.device_ids = {"a"};
  target.mac_addresses = {"AA:BB:CC:DD:EE:FF"};
  auto by_mac = device("b", "1");
  EXPECT_EQ(membership_of(device("a", "1"), target, test_sha256), Membership::in);
  EXPECT_EQ(membership_of(by_mac, target, test_sha256), Membership::not_listed);
  by_mac.mac = "AA:BB:CC:DD:EE:FF";
  EXPECT_EQ(membership_of(by_mac, target, test_sha256), Membership::in);
}

TEST(Target, GroupComesFromAdminsNeverFromWhatTheDeviceSays) {
  Target target;
  target.type = TargetType::group;
  target.groups = {"beta"};
  auto one = device("a", "1");
  one.metadata = parse_json(R"({"reported":{"groups":["beta"]}})").value();
  EXPECT_EQ(membership_of(one, target, test_sha256), Membership::not_in_group);
  one.metadata = parse_json(R"({"groups":["alpha","beta"]})").value();
  EXPECT_EQ(membership_of(one, target, test_sha256), Membership::in);
  target.percentage = 0;
  EXPECT_EQ(membership_of(one, target, test_sha256), Membership::bucket_above);
}

TEST(Target, ExclusionAndMetadataNarrowEveryType) {
  Target target;
  target.exclude_device_ids = {"a"};
  EXPECT_EQ(membership_of(device("a", "1"), target, test_sha256), Membership::excluded);
  target.metadata = parse_json(R"({"site":{"roof":true},"tags":["x"]})").value();
  auto one = device("b", "1");
  one.metadata = parse_json(R"({"site":{"roof":true,"floor":2},"tags":["y","x"]})").value();
  EXPECT_EQ(membership_of(one, target, test_sha256), Membership::in);
  one.metadata = parse_json(R"({"site":{"roof":false},"tags":["x"]})").value();
  EXPECT_EQ(membership_of(one, target, test_sha256), Membership::metadata_differs);
}

}  // namespace
}  // namespace ota::fleet
