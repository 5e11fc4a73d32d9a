#pragma once

#include <chrono>

namespace ota::fleet {

/// UTC with PostgreSQL's resolution. The domain never asks a clock; callers pass the time in.
using Time = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

}  // namespace ota::fleet
