#include "bridge/zone_clock.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "fleet/iso_time.hpp"

namespace ota::bridge {
namespace {

fleet::Time at(const char* iso) {
  return fleet::parse_iso_time(iso).value();
}

std::string start_of(const char* now, int days_back, int minute) {
  const auto moment = local_clock("Europe/Berlin", at(now), days_back, minute);
  return moment ? fleet::to_iso(moment->at).substr(0, 16) + " day " + std::to_string(moment->weekday)
                : "unknown";
}

TEST(ZoneClock, KnowsTheOffsetOfTheDay) {
  EXPECT_EQ(start_of("2026-01-15T12:00:00Z", 0, 90), "2026-01-15T00:30 day 3");
  EXPECT_EQ(start_of("2026-07-15T12:00:00Z", 0, 90), "2026-07-14T23:30 day 2");
  EXPECT_EQ(start_of("2026-01-15T23:30:00Z", 0, 0), "2026-01-15T23:00 day 4") << "it is Friday there already";
  EXPECT_EQ(start_of("2026-01-15T12:00:00Z", 1, 0), "2026-01-13T23:00 day 2");
}

TEST(ZoneClock, ASkippedTimeIsTheMomentOfTheChangeAndOneThatComesTwiceTheFirst) {
  EXPECT_EQ(start_of("2026-03-29T12:00:00Z", 0, 150), "2026-03-29T01:00 day 6");
  EXPECT_EQ(start_of("2026-10-25T12:00:00Z", 0, 150), "2026-10-25T00:30 day 6");
}

TEST(ZoneClock, RefusesNamesNobodyKnows) {
  EXPECT_FALSE(local_clock("Moon/Base", at("2026-01-15T12:00:00Z"), 0, 0));
  EXPECT_FALSE(local_clock("../../etc/passwd", at("2026-01-15T12:00:00Z"), 0, 0));
  EXPECT_FALSE(local_clock("", at("2026-01-15T12:00:00Z"), 0, 0));
}

TEST(ZoneClock, AZoneWhoseFileCannotBeOpenedIsUnknownUntilItCan) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer's pthread_once hangs for good once what it called has thrown";
#endif
  const auto now = at("2026-01-15T12:00:00Z");
  ASSERT_TRUE(local_clock("Europe/Berlin", now, 0, 0)) << "the list of zones is read";
  rlimit files{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
  const rlimit none{0, files.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto unreadable = local_clock("Asia/Tokyo", now, 0, 0);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
  EXPECT_FALSE(unreadable);
  EXPECT_TRUE(local_clock("Asia/Tokyo", now, 0, 0));
}

TEST(ZoneClock, AWindowLastsItsMinutesThroughAClockChange) {
  const std::vector<fleet::Window> nightly = {
      {{true, true, true, true, true, true, true}, 90, 120, "Europe/Berlin"}};
  const auto open = [&](const char* now) { return fleet::is_open(nightly, at(now), &local_clock); };
  // In spring 01:30 is 00:30 UTC, and two hours later the clocks there say 04:30.
  EXPECT_FALSE(open("2026-03-29T00:29:59Z"));
  EXPECT_TRUE(open("2026-03-29T00:30:00Z"));
  EXPECT_TRUE(open("2026-03-29T02:29:59Z"));
  EXPECT_FALSE(open("2026-03-29T02:30:00Z"));
  // In autumn 01:30 is 23:30 UTC of the day before; the clocks go back at 01:00 UTC.
  EXPECT_TRUE(open("2026-10-24T23:30:00Z"));
  EXPECT_TRUE(open("2026-10-25T01:29:59Z"));
  EXPECT_FALSE(open("2026-10-25T01:30:00Z"));
}

}  // namespace
}  // namespace ota::bridge
