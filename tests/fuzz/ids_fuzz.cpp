#include "fleet/ids.hpp"

#include <algorithm>

#include "tests/fuzz/fuzz.hpp"

using namespace ota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  const auto id = fleet::parse_id("device_id", text);
  const auto version = fleet::parse_version_text("version", text);
  for (const auto* taken : {fuzz::value_or_sentence(id), fuzz::value_or_sentence(version)}) {
    if (taken == nullptr) continue;
    fuzz::require(*taken == text, "an id is taken as it stands");
    fuzz::require(
        taken->size() <= fleet::kIdCharsMax && taken->find_first_of("/#$ \t\r\n") == std::string::npos,
        "an id is short and means nothing in a topic or path");
    fuzz::require(*taken != "." && *taken != "..", "an id is no folder");
  }
  fuzz::require(!id || version, "every id is a version");
  if (const auto mac = fleet::parse_mac("mac", text); fuzz::value_or_sentence(mac) != nullptr) {
    fuzz::require(fleet::parse_mac("mac", *mac).value() == *mac, "a canonical MAC stays");
  }
  const auto shown = fleet::printable(text);
  fuzz::require(shown.size() <= 83 &&
                    std::all_of(shown.begin(), shown.end(), [](char c) { return c >= 0x20 && c < 0x7f; }),
                "printable text is short and printable");
  return 0;
}
