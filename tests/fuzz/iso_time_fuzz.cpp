#include "fleet/iso_time.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace ota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto time = fleet::parse_iso_time(fuzz::text_of(data, size));
  if (!time) return 0;
  const auto written = fleet::to_iso(*time);
  const auto again = fleet::parse_iso_time(written);
  fuzz::require(again && *again == *time, "reading what was written gives the same moment");
  return 0;
}
