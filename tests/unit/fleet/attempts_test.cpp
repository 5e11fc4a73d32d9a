#include "fleet/attempts.hpp"

#include <gtest/gtest.h>

namespace ota::fleet {
namespace {

constexpr Status kAll[] = {Status::pending, Status::downloading, Status::downloaded, Status::installing,
                           Status::success, Status::failed,      Status::rolled_back};

TEST(Attempt, OnlyMovesForward) {
  for (const auto from : kAll) {
    for (const auto to : kAll) {
      const auto expected = is_final(from) || to < from ? Step::ignore
                            : to == from                ? Step::update
                                                        : Step::move;
      EXPECT_EQ(on_report(from, to), expected) << to_string(from) << " -> " << to_string(to);
    }
  }
}

TEST(Attempt, StatusNamesRoundTripAndNothingElseParses) {
  for (const auto status : kAll) EXPECT_EQ(parse_status(to_string(status)), status);
  for (const char* text : {"", "Success", "done", "success "}) EXPECT_FALSE(parse_status(text)) << text;
}

class Hello : public ::testing::Test {
 protected:
  Attempt attempt_in(Status status) {
    Attempt attempt;
    attempt.version = "1.1.0";
    attempt.status = status;
    attempt.boot_id = "boot-1";
    attempt.changed_at = start_;
    return attempt;
  }
  const Time start_{std::chrono::hours(1000)};
};

TEST_F(Hello, OfTheNewVersionCompletesEvenWhatTimedOut) {
  for (const auto status : {Status::pending, Status::downloading, Status::installing, Status::failed}) {
    EXPECT_EQ(on_hello(attempt_in(status), "v1.1", "boot-2", start_), Status::success) << to_string(status);
  }
  EXPECT_EQ(on_hello(attempt_in(Status::success), "1.1.0", "boot-2", start_), std::nullopt);
}

TEST_F(Hello, OfTheOldVersionMeansRolledBackOnlyAfterANewBoot) {
  EXPECT_EQ(on_hello(attempt_in(Status::installing), "1.0.0", "boot-1", start_ + std::chrono::hours(5)),
            std::nullopt);
  EXPECT_EQ(on_hello(attempt_in(Status::installing), "1.0.0", "boot-2", start_), Status::rolled_back);
  EXPECT_EQ(on_hello(attempt_in(Status::downloading), "1.0.0", "boot-2", start_), std::nullopt);
}

TEST_F(Hello, WithoutBootIdsWaitsTenMinutes) {
  auto attempt = attempt_in(Status::installing);
  attempt.boot_id.clear();
  EXPECT_EQ(on_hello(attempt, "1.0.0", "", start_ + std::chrono::minutes(9)), std::nullopt);
  EXPECT_EQ(on_hello(attempt, "1.0.0", "", start_ + std::chrono::minutes(10)), Status::rolled_back);
}

}  // namespace
}  // namespace ota::fleet
