#include "http/lanes.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace ota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto buffered = fuzz::text_of(data, size);
  const auto lane = static_cast<std::size_t>(http::lane_of(buffered));
  fuzz::require(lane < http::kLanes, "every head has a lane");
  if (!http::is_whole_request(buffered)) return 0;
  fuzz::require(buffered.find("\r\n\r\n") != std::string_view::npos, "a whole request has a whole head");
  fuzz::require(http::is_whole_request(std::string(buffered) + "x"), "more bytes do not make it less whole");
  return 0;
}
