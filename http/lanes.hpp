#pragma once

#include <array>
#include <string_view>

#include "http/routes.hpp"
#include "http/server.hpp"

namespace ota::http {

/// How many requests of a lane run at a time, and how many may wait; one more is refused.
struct LaneLimit {
  int running_max = 1;
  std::size_t waiting_max = 0;
};
using LaneLimits = std::array<LaneLimit, kLanes>;

/// Downloads have their share; what is left goes mostly to devices, and a little is kept for each other lane.
[[nodiscard]] LaneLimits lane_limits(const ServerOptions& options);

/// Whose turn a request is, read from the first line of its head; anything odd is the monitors' to refuse.
[[nodiscard]] Lane lane_of(std::string_view head);

/// Whether `buffered`, which begins with a whole head, holds the whole request: one without a body, or with
/// all the bytes its Content-Length announces. Anything else, and anything odd, is false.
[[nodiscard]] bool is_whole_request(std::string_view buffered);

}  // namespace ota::http
