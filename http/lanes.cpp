#include "http/lanes.hpp"

#include <algorithm>
#include <limits>

#include "fleet/limits.hpp"
#include "http/letters.hpp"
#include "http/params.hpp"

namespace ota::http {

LaneLimits lane_limits(const ServerOptions& options) {
  const int rest = std::max(8, options.threads_max - options.downloads_max);
  const int small = rest / 8;
  LaneLimits limits;
  const auto set = [&](Lane lane, int running_max, std::size_t waiting_max) {
    limits[static_cast<std::size_t>(lane)] = {running_max, waiting_max};
  };
  // Devices take a thread only while a body is still on its way; their answers are awaited without one.
  set(Lane::device, rest - 3 * small, 1024);
  // A download that would have to wait is told to come back: it may take minutes until one ends.
  set(Lane::download, std::max(1, options.downloads_max), 0);
  set(Lane::upload, small, 64);
  set(Lane::admin, small, 256);
  set(Lane::monitor, small, 256);
  // Open to strangers, and each may cost a signature: the fleet enrols no faster, and nobody else waits for
  // it.
  set(Lane::enrolment, fleet::kEnrolmentsMax, fleet::kWaitingEnrolmentsMax);
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

bool is_whole_request(std::string_view buffered) {
  const auto head_end = buffered.find("\r\n\r\n");
  if (head_end == std::string_view::npos) return false;
  std::int64_t body_bytes = 0;
  for (auto at = buffered.find("\r\n"); at < head_end;) {
    const auto line_end = buffered.find("\r\n", at + 2);
    const auto line = buffered.substr(at + 2, line_end - at - 2);
    const auto name = line.substr(0, line.find(':'));
    if (same_letters(name, "Transfer-Encoding") || same_letters(name, "Expect")) return false;
    if (same_letters(name, "Content-Length")) {
      auto value = line.substr(std::min(name.size() + 1, line.size()));
      value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
      const auto length = parse_whole(value, 0, std::numeric_limits<std::int32_t>::max());
      if (!length) return false;
      body_bytes = *length;
    }
    at = line_end;
  }
  return static_cast<std::int64_t>(buffered.size() - head_end) - 4 >= body_bytes;
}

}  // namespace ota::http
