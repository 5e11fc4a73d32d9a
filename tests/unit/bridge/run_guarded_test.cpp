#include "bridge/run_guarded.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>

namespace ota::bridge {
namespace {

TEST(RunGuarded, WhateverIsThrownTheLoopGoesOn) {
  int turns = 0;
  while (turns < 3) {
    run_guarded("test", [&] {
      ++turns;
      if (turns == 1) throw std::runtime_error("a bug");
      if (turns == 2) throw 42;
    });
  }
  EXPECT_EQ(turns, 3);
}

TEST(RunGuarded, WhatFailsAtEveryTurnDoesNotSpin) {
  const auto began = std::chrono::steady_clock::now();
  run_guarded("test", [] { throw std::runtime_error("a bug"); });
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(100));
}

}  // namespace
}  // namespace ota::bridge
