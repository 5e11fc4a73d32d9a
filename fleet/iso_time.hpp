#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "fleet/time.hpp"

namespace ota::fleet {

/// ISO 8601 as our answers write it: date, 'T', time with optional seconds and fraction, and an offset (`Z`
/// or
/// `+hh:mm`), which must be there: a time without one could mean any place. nullopt for everything else.
[[nodiscard]] std::optional<Time> parse_iso_time(std::string_view text);

/// The same moment as `2026-11-24T03:45:12.000000+00:00`.
[[nodiscard]] std::string to_iso(Time time);

}  // namespace ota::fleet
