#include "http/range.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace ota;

// The first byte says how long the body is, the rest is the header.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t body_bytes = data[0] == 0xFF ? SIZE_MAX / 2 : data[0];
  const auto header = fuzz::text_of(data + 1, size - 1);
  http::ByteRange range;
  if (http::parse_range(header, body_bytes, range) == http::RangeOutcome::part) {
    fuzz::require(range.length >= 1 && range.offset < body_bytes && range.length <= body_bytes - range.offset,
                  "a part lies inside of the body");
  }
  const std::string etag = "\"abc\"";
  fuzz::require(http::names_etag(std::string(header) + "," + etag, etag),
                "a list that ends with the tag names it");
  return 0;
}
