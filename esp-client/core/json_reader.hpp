#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "esp-client/core/fixed_string.hpp"

namespace ota::device {

// A reader for one small JSON object (RFC 8259) that allocates nothing and keeps no copy: the whole text is
// checked, the wanted top-level members are pointed at, everything else is skipped.

enum class JsonKind : std::uint8_t { kAbsent, kNull, kFalse, kTrue, kNumber, kString, kObject, kArray };

// In: the wanted key. Out: what stood there. `raw` is the text of the value, a string's without its quotes
// and with its escapes, and lives as long as the text that was read.
struct JsonField {
  std::string_view key;
  JsonKind kind = JsonKind::kAbsent;
  std::string_view raw = {};
};

inline constexpr std::size_t kJsonBytesMax = 16384;
inline constexpr int kJsonDepthMax = 8;

// Reads `text` and fills `fields`. Returns nullptr when all of it is one well-formed object, else a sentence
// that says what was wrong (static storage). Refused: more than kJsonBytesMax bytes, nesting beyond
// kJsonDepthMax, bad UTF-8, control characters, NUL also as an escape, lone surrogates, a wanted key twice,
// and anything behind the object.
[[nodiscard]] const char* read_json_object(std::string_view text, JsonField* fields, std::size_t count);

enum class Read : std::uint8_t { kOk, kAbsent, kWrong };  // null reads as absent

// Whole numbers from min to max without sign, fraction or exponent.
[[nodiscard]] Read read_unsigned(const JsonField& field, std::uint64_t min, std::uint64_t max,
                                 std::uint64_t& out);
[[nodiscard]] Read read_bool(const JsonField& field, bool& out);

// Decodes a string's escapes into `out`; false when it does not fit into `capacity` bytes.
[[nodiscard]] bool decode_json_string(std::string_view raw, char* out, std::size_t capacity,
                                      std::size_t& length);

// kWrong also when the decoded text is longer than N bytes.
template <std::size_t N>
[[nodiscard]] Read read_string(const JsonField& field, FixedString<N>& out) {
  if (field.kind == JsonKind::kAbsent || field.kind == JsonKind::kNull) return Read::kAbsent;
  if (field.kind != JsonKind::kString) return Read::kWrong;
  std::size_t length = 0;
  const bool fits = decode_json_string(field.raw, out.storage(), N, length);
  out.set_size(fits ? length : 0);
  return fits ? Read::kOk : Read::kWrong;
}

}  // namespace ota::device
