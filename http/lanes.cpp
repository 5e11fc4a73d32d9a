#include "http/lanes.hpp"

#include <algorithm>

namespace ota::http {

LaneLimits lane_limits(const ServerOptions& options) {
  const int rest = std::max(8, options.threads_max - options.downloads_max);
  const int small = rest / 8;
  const auto waiting_max = static_cast<std::size_t>(std::max(0, options.queue_max));
  LaneLimits limits;
  const auto set = [&](Lane lane, int running_max, std::size_t lane_waiting_max) {
    limits[static_cast<std::size_t>(lane)] = {running_max, lane_waiting_max};
  };
  set(Lane::device, rest - 3 * small, waiting_max);
  // A download that would have to wait is told to come back: it may take minutes until one ends.
  set(Lane::download, std::max(1, options.downloads_max), 0);
  set(Lane::upload, small, 64);
  set(Lane::admin, small, 256);
  set(Lane::monitor, small, 256);
  return limits;
}

Lane lane_of(std::string_view head) {
  const auto first = head.find(' ');
  if (first == std::string_view::npos) return Lane::monitor;
  const auto end = head.find_first_of(" ?#\r", first + 1);
  if (end == std::string_view::npos) return Lane::monitor;
  const auto match = find_route(head.substr(0, first), head.substr(first + 1, end - first - 1));
  return match.route == nullptr ? Lane::monitor : match.route->lane;
}

}  // namespace ota::http
