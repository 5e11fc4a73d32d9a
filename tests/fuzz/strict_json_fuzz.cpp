#include "fleet/strict_json.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace ota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kBytesMax = 4096;
  const auto text = fuzz::text_of(data, size);
  const auto value = fleet::parse_json(text, kBytesMax);
  if (fuzz::value_or_sentence(value) == nullptr) return 0;
  fuzz::require(size <= kBytesMax, "the limit holds");
  const auto written = fleet::to_json(*value);
  fuzz::require(text.find('\0') == std::string_view::npos && written.find('\0') == std::string::npos,
                "no NUL comes through");
  const auto again = fleet::parse_json(written);
  fuzz::require(again.has_value(), "what was written can be read");
  fuzz::require(*again == *value, "reading what was written gives the same value");
  fuzz::require(fleet::to_json(*again) == written, "and the same text");
  fuzz::require(value->contains(*value), "a value contains itself");
  (void)value->strings();
  return 0;
}
