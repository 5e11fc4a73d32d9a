#include "bridge/zone_clock.hpp"

#include <date/tz.h>

#include <stdexcept>

namespace ota::bridge {
namespace {

// nullptr for a name the system does not know.
const date::time_zone* find_zone(const std::string& name) {
  try {
    return date::locate_zone(name);
  } catch (const std::runtime_error&) {
    return nullptr;
  }
}

}  // namespace

std::optional<fleet::LocalMoment> local_clock(const std::string& time_zone, fleet::Time now, int days_back,
                                              int minute) {
  const auto* zone = find_zone(time_zone);
  if (zone == nullptr) return std::nullopt;
  const auto day = date::floor<date::days>(zone->to_local(now)) - date::days(days_back);
  // `earliest` takes the first of two, and for a time that is skipped the moment of the change.
  const auto at = zone->to_sys(day + std::chrono::minutes(minute), date::choose::earliest);
  const date::weekday weekday{day};
  return fleet::LocalMoment{std::chrono::time_point_cast<std::chrono::microseconds>(at),
                            static_cast<int>(weekday.iso_encoding()) - 1};
}

}  // namespace ota::bridge
