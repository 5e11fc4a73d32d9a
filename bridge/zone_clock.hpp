#pragma once

#include <optional>
#include <string>

#include "fleet/rollout_policy.hpp"

namespace ota::bridge {

/// fleet::LocalClock from the system's IANA database (package tzdata). nullopt for a zone it does not know or
/// cannot read. Thread safe.
[[nodiscard]] std::optional<fleet::LocalMoment> local_clock(const std::string& time_zone, fleet::Time now,
                                                            int days_back, int minute);

}  // namespace ota::bridge
