#include "bridge/recent_offers.hpp"

#include <gtest/gtest.h>

namespace ota::bridge {
namespace {

using namespace std::chrono_literals;

constexpr RecentOffers::Clock::time_point kStart{1h};

TEST(RecentOffersTest, NothingIsPublishedAfterSomethingNewer) {
  RecentOffers recent;
  EXPECT_TRUE(recent.admit("a", 5, true, kStart));
  EXPECT_TRUE(recent.admit("a", 6, false, kStart));
  EXPECT_FALSE(recent.admit("a", 5, true, kStart + 1s));
  EXPECT_TRUE(recent.admit("a", 6, false, kStart + 1s)) << "the same once more does no harm";
  EXPECT_TRUE(recent.admit("b", 1, true, kStart + 1s));
}

TEST(RecentOffersTest, IsForgottenWithinSeconds) {
  RecentOffers recent;
  EXPECT_TRUE(recent.admit("a", 7, true, kStart));
  EXPECT_FALSE(recent.admit("a", 1, true, kStart + 4s));
  EXPECT_TRUE(recent.admit("a", 1, true, kStart + 20s)) << "a deleted device that came back begins anew";

  RecentOffers busy;
  EXPECT_TRUE(busy.admit("a", 7, true, kStart));
  for (int i = 0; i < 15; ++i) EXPECT_TRUE(busy.admit("b", i, true, kStart + i * 1s));
  EXPECT_TRUE(busy.admit("a", 1, true, kStart + 15s));
}

TEST(RecentOffersTest, IsForgottenWithItsDevice) {
  RecentOffers recent;
  EXPECT_TRUE(recent.admit("a", 7, true, kStart));
  recent.forget("a");
  EXPECT_TRUE(recent.admit("a", 1, true, kStart));
}

TEST(RecentOffersTest, MemoryIsBoundedAndKeepsTheNewest) {
  RecentOffers recent;
  for (int i = 0; i < 50000; ++i) EXPECT_TRUE(recent.admit(std::to_string(i), 2, true, kStart));
  EXPECT_FALSE(recent.admit("49999", 1, true, kStart));
  EXPECT_TRUE(recent.admit("0", 1, true, kStart)) << "the first were dropped";
}

TEST(RecentOffersTest, AClearingYieldsOnlyToAnOfferThatIsNewerThanItsReason) {
  RecentOffers recent;
  EXPECT_TRUE(recent.may_clear("a", kStart));
  EXPECT_TRUE(recent.admit("a", 5, true, kStart));
  EXPECT_FALSE(recent.may_clear("a", kStart - 1ms));
  EXPECT_TRUE(recent.may_clear("a", kStart + 1ms)) << "the database was asked after it and knew of none";
  EXPECT_TRUE(recent.admit("a", 6, false, kStart + 2ms));
  EXPECT_TRUE(recent.may_clear("a", kStart));
}

}  // namespace
}  // namespace ota::bridge
