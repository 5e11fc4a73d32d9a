#include "bridge/refusals.hpp"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <sstream>

namespace ota::bridge {
namespace {

using namespace std::chrono_literals;

class RefusalsTest : public ::testing::Test {
 protected:
  RefusalsTest() {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_)));
    spdlog::set_pattern("%v");
  }
  ~RefusalsTest() override { spdlog::set_default_logger(before_); }

  void refuse(const std::string& kind, int times) {
    for (int i = 0; i < times; ++i) refusals_.count(kind, "example " + std::to_string(i));
  }
  // What was logged since the last call.
  std::string said() {
    const auto text = log_.str();
    log_.str("");
    return text;
  }

  const std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
  std::ostringstream log_;
  Refusals::Clock::time_point now_{1000h};
  Refusals refusals_{[this] { return now_; }};
};

TEST_F(RefusalsTest, AreAllCountedAndSaidOnceAMinute) {
  refuse("check", 1000);
  EXPECT_EQ(said(), "refused check (1 since last said): example 0\n");
  now_ += 59s;
  refuse("check", 10);
  EXPECT_EQ(said(), "");
  now_ += 1s;
  refuse("check", 10);
  EXPECT_EQ(said(), "refused check (1010 since last said): example 0\n");
  EXPECT_EQ(refusals_.counts(), (std::map<std::string, std::uint64_t>{{"check", 1020}}));
}

TEST_F(RefusalsTest, OfOneKindDoNotHideThoseOfAnother) {
  refuse("check", 1000);
  said();
  refuse("status", 3);
  EXPECT_EQ(said(), "refused status (1 since last said): example 0\n");
  EXPECT_EQ(refusals_.counts(), (std::map<std::string, std::uint64_t>{{"check", 1000}, {"status", 3}}));
}

}  // namespace
}  // namespace ota::bridge
