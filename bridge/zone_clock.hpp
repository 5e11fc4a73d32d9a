#pragma once

#include <optional>
#include <string>

#include "fleet/rollout_policy.hpp"

namespace ota::bridge {

/// fleet::LocalClock from the system's IANA database (package tzdata).
[[nodiscard]] std::optional<fleet::LocalMoment> local_clock(const std::string& time_zone, fleet::Time now,
                                                            int days_back, int minute);

}  // namespace ota::bridge
