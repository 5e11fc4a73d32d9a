#include "esp-client/core/json_reader.hpp"

#include <algorithm>

#include "fleet/strict_json.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace ota;

namespace {

int depth_of(const fleet::JsonValue& value) {
  int deepest = 0;
  if (const auto* object = std::get_if<fleet::JsonValue::Object>(&value.value)) {
    for (const auto& member : *object) deepest = std::max(deepest, depth_of(member.second));
    return deepest + 1;
  }
  if (const auto* array = std::get_if<fleet::JsonValue::Array>(&value.value)) {
    for (const auto& element : *array) deepest = std::max(deepest, depth_of(element));
    return deepest + 1;
  }
  return 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  device::JsonField fields[] = {{"a"}, {"version"}, {"size"}, {"flag"}};
  const char* problem = device::read_json_object(text, fields, std::size(fields));
  // The server's reader, which shares no code with the device's, says what is an object.
  const auto server = fleet::parse_json(text, device::kJsonBytesMax);
  const bool is_object = server && std::holds_alternative<fleet::JsonValue::Object>(server->value);
  if (is_object && depth_of(*server) <= device::kJsonDepthMax) {
    fuzz::require(problem == nullptr, "the device reads every object the server reads");
  }
  if (problem != nullptr) {
    fuzz::require_sentence(problem);
    return 0;
  }
  for (const auto& field : fields) {
    fuzz::require(field.raw.empty() || (field.raw.data() >= text.data() &&
                                        field.raw.data() + field.raw.size() <= text.data() + text.size()),
                  "a value lies inside of the text");
    device::FixedString<32> word;
    std::uint64_t number = 0;
    bool flag = false;
    const bool decoded = device::read_string(field, word) == device::Read::kOk;
    const bool counted = device::read_unsigned(field, 1, 1000, number) == device::Read::kOk;
    (void)device::read_bool(field, flag);
    fuzz::require(!counted || (number >= 1 && number <= 1000), "a number lies in its range");
    const auto* same = is_object ? server->find(field.key) : nullptr;
    const auto* same_text = same == nullptr ? nullptr : std::get_if<std::string>(&same->value);
    fuzz::require(!decoded || same_text == nullptr || word.view() == *same_text, "both decode a text alike");
  }
  return 0;
}
