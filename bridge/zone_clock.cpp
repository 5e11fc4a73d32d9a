#include "bridge/zone_clock.hpp"

#include <date/tz.h>

#include <stdexcept>

namespace ota::bridge {
namespace {

fleet::LocalMoment moment_of(const date::time_zone& zone, fleet::Time now, int days_back, int minute) {
  const auto day = date::floor<date::days>(zone.to_local(now)) - date::days(days_back);
  // `earliest` takes the first of two, and for a time that is skipped the moment of the change.
  const auto at = zone.to_sys(day + std::chrono::minutes(minute), date::choose::earliest);
  const date::weekday weekday{day};
  return {std::chrono::time_point_cast<std::chrono::microseconds>(at),
          static_cast<int>(weekday.iso_encoding()) - 1};
}

}  // namespace

std::optional<fleet::LocalMoment> local_clock(const std::string& time_zone, fleet::Time now, int days_back,
                                              int minute) {
  // A zone's file is opened when it is first asked for a time: by then the list of zones may be older than
  // the files.
  try {
    return moment_of(*date::locate_zone(time_zone), now, days_back, minute);
  } catch (const std::runtime_error&) {
    return std::nullopt;
  }
}

}  // namespace ota::bridge
