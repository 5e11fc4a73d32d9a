#include "fleet/strict_json.hpp"

#include "fleet/limits.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace ota;

namespace {

void test_text(const std::string& text) {
  fuzz::require(text.find('\0') == std::string::npos, "no NUL comes through");
}

void test_value(const fleet::JsonValue& value, int depth) {
  if (const auto* text = std::get_if<std::string>(&value.value)) test_text(*text);
  const auto* object = std::get_if<fleet::JsonValue::Object>(&value.value);
  const auto* array = std::get_if<fleet::JsonValue::Array>(&value.value);
  if (object == nullptr && array == nullptr) return;
  fuzz::require(depth < fleet::kJsonDepthMax, "nothing lies deeper than the limit");
  if (object != nullptr) {
    for (const auto& [key, member] : *object) {
      test_text(key);
      test_value(member, depth + 1);
    }
  } else {
    for (const auto& element : *array) test_value(element, depth + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kBytesMax = 4096;
  const auto text = fuzz::text_of(data, size);
  const auto value = fleet::parse_json(text, kBytesMax);
  if (fuzz::value_or_sentence(value) == nullptr) return 0;
  fuzz::require(size <= kBytesMax, "the limit holds");
  test_value(*value, 0);
  const auto written = fleet::to_json(*value);
  const auto again = fleet::parse_json(written);
  fuzz::require(again.has_value(), "what was written can be read");
  fuzz::require(*again == *value, "reading what was written gives the same value");
  fuzz::require(fleet::to_json(*again) == written, "and the same text");
  fuzz::require(value->contains(*value), "a value contains itself");
  (void)value->strings();
  return 0;
}
