#include "fleet/device_rate.hpp"

#include <gtest/gtest.h>

namespace ota::fleet {
namespace {

using namespace std::chrono_literals;

const Time kNoon{1'700'000'000s};

int admitted(DeviceRate& rate, const std::string& device_id, Time now, int tries) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += rate.admit(device_id, now) ? 1 : 0;
  return count;
}

TEST(DeviceRate, LetsABurstThroughAndThenTheSteadyRate) {
  DeviceRate rate(5, 20);
  EXPECT_EQ(admitted(rate, "dev1", kNoon, 100), 20);
  EXPECT_EQ(admitted(rate, "dev1", kNoon + 200ms, 100), 1);
  EXPECT_EQ(admitted(rate, "dev1", kNoon + 1200ms, 100), 5);
  EXPECT_EQ(admitted(rate, "dev1", kNoon + 60s, 100), 20) << "a silence fills it again, and not beyond";
}

TEST(DeviceRate, ADeviceWithinTheRateIsNeverRefused) {
  DeviceRate rate(5, 20);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(rate.admit("dev1", kNoon + i * 200ms)) << i;
}

TEST(DeviceRate, OneThatFloodsTakesNothingFromTheOthers) {
  DeviceRate rate(5, 20);
  for (int second = 0; second < 10; ++second) {
    admitted(rate, "flood", kNoon + second * 1s, 10'000);
    for (int i = 0; i < 1000; ++i)
      ASSERT_TRUE(rate.admit("dev" + std::to_string(i), kNoon + second * 1s)) << i;
  }
}

// More devices than there is memory for: whoever is forgotten may speak more, never less.
TEST(DeviceRate, NobodyIsRefusedForWantOfMemory) {
  DeviceRate rate(5, 20);
  for (int i = 0; i < 300'000; ++i) ASSERT_TRUE(rate.admit("dev" + std::to_string(i), kNoon)) << i;
}

TEST(DeviceRate, AClockSetBackCostsABurstsTimeAtMost) {
  DeviceRate rate(5, 20);
  EXPECT_EQ(admitted(rate, "dev1", kNoon, 20), 20);
  EXPECT_FALSE(rate.admit("dev1", kNoon - 1h));
  EXPECT_EQ(admitted(rate, "dev1", kNoon - 1h + 4s, 100), 20);
}

TEST(DeviceRate, ZeroIsNoLimit) {
  DeviceRate rate(0, 20);
  EXPECT_EQ(admitted(rate, "dev1", kNoon, 1000), 1000);
}

}  // namespace
}  // namespace ota::fleet
