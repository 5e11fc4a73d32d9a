#pragma once

#include <string>
#include <vector>

#include "bridge/config.hpp"

namespace ota::bridge {

/// A setting that a profile does not let pass, and what would be right.
struct ProfileProblem {
  std::string variable;
  std::string message;
};

/// Everything in `config` with which OTA_PROFILE=production does not start.
[[nodiscard]] std::vector<ProfileProblem> production_problems(const Config& config);

/// What an operator should be told at every start.
[[nodiscard]] std::vector<std::string> start_warnings(const Config& config);

}  // namespace ota::bridge
