#include "esp-client/core/json_reader.hpp"

namespace ota::device {
namespace {

constexpr std::size_t kKeyBytesMax = 32;  // longer than every key the device asks for

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The four hex digits behind \u, or -1.
int hex_quad(std::string_view digits) {
  if (digits.size() < 4) return -1;
  int value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const int digit = hex_value(digits[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

// The length of the well-formed UTF-8 sequence at the start of `text`, or 0 (Unicode table 3-7: no
// overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  std::size_t length = 0;
  unsigned second_min = 0x80;
  unsigned second_max = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) second_min = 0xA0;
    if (lead == 0xED) second_max = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) second_min = 0x90;
    if (lead == 0xF4) second_max = 0x8F;
  } else {
    return 0;
  }
  if (text.size() < length || byte(1) < second_min || byte(1) > second_max) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  }
  return length;
}

class Scanner {
 public:
  Scanner(std::string_view text, JsonField* fields, std::size_t count)
      : text_(text), fields_(fields), count_(count) {}

  bool document() {
    skip_space();
    if (peek() != '{') return fail("not a JSON object");
    JsonKind kind{};
    std::string_view raw;
    if (!value(kind, raw, 0)) return false;
    skip_space();
    return at_ == text_.size() || fail("text behind the JSON object");
  }

  const char* problem = nullptr;

 private:
  bool fail(const char* sentence) {
    if (problem == nullptr) problem = sentence;
    return false;
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_space() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
  }

  bool value(JsonKind& kind, std::string_view& raw, int depth) {
    const std::size_t start = at_;
    bool ok = false;
    switch (peek()) {
      case '{':
        kind = JsonKind::kObject;
        ok = object(depth);
        break;
      case '[':
        kind = JsonKind::kArray;
        ok = array(depth);
        break;
      case '"':
        kind = JsonKind::kString;
        return string(raw);
      case 't':
        kind = JsonKind::kTrue;
        ok = word("true");
        break;
      case 'f':
        kind = JsonKind::kFalse;
        ok = word("false");
        break;
      case 'n':
        kind = JsonKind::kNull;
        ok = word("null");
        break;
      default:
        kind = JsonKind::kNumber;
        ok = number();
    }
    raw = text_.substr(start, at_ - start);
    return ok;
  }

  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return fail("a value that is not JSON");
    at_ += expected.size();
    return true;
  }

  bool digits() {
    if (!is_digit(peek())) return fail("a value that is not JSON");
    while (is_digit(peek())) ++at_;
    return true;
  }

  bool number() {
    if (peek() == '-') ++at_;
    if (peek() == '0') {
      ++at_;
      if (is_digit(peek())) return fail("a number with a leading zero");
    } else if (!digits()) {
      return false;
    }
    if (peek() == '.') {
      ++at_;
      if (!digits()) return false;
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digits()) return false;
    }
    return true;
  }

  bool escape() {
    const std::string_view rest = text_.substr(at_ + 1);
    if (rest.empty()) return fail("a string without its end");
    if (std::string_view("\"\\/bfnrt").find(rest[0]) != std::string_view::npos) {
      at_ += 2;
      return true;
    }
    const int unit = rest[0] == 'u' ? hex_quad(rest.substr(1)) : -1;
    if (unit < 0) return fail("a bad escape in a string");
    if (unit == 0) return fail("a NUL character in a string");
    at_ += 6;
    if (unit >= 0xDC00 && unit <= 0xDFFF) return fail("half a surrogate pair in a string");
    if (unit < 0xD800 || unit > 0xDBFF) return true;
    const int low = text_.substr(at_, 2) == "\\u" ? hex_quad(text_.substr(at_ + 2)) : -1;
    if (low < 0xDC00 || low > 0xDFFF) return fail("half a surrogate pair in a string");
    at_ += 6;
    return true;
  }

  bool string(std::string_view& raw) {
    const std::size_t start = ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        raw = text_.substr(start, at_ - start);
        ++at_;
        return true;
      }
      if (c == '\\') {
        if (!escape()) return false;
        continue;
      }
      if (static_cast<unsigned char>(c) < 0x20) return fail("a control character in a string");
      const std::size_t length = utf8_length(text_.substr(at_));
      if (length == 0) return fail("a string that is not UTF-8");
      at_ += length;
    }
    return fail("a string without its end");
  }

  bool array(int depth) {
    if (depth >= kJsonDepthMax) return fail("nested too deep");
    ++at_;
    skip_space();
    if (peek() == ']') return ++at_, true;
    while (true) {
      JsonKind kind{};
      std::string_view raw;
      skip_space();
      if (!value(kind, raw, depth + 1)) return false;
      skip_space();
      if (peek() == ']') return ++at_, true;
      if (peek() != ',') return fail("an array without its end");
      ++at_;
    }
  }

  bool object(int depth) {
    if (depth >= kJsonDepthMax) return fail("nested too deep");
    ++at_;
    skip_space();
    if (peek() == '}') return ++at_, true;
    while (true) {
      if (!member(depth)) return false;
      skip_space();
      if (peek() == '}') return ++at_, true;
      if (peek() != ',') return fail("an object without its end");
      ++at_;
    }
  }

  bool member(int depth) {
    std::string_view key;
    std::string_view raw;
    JsonKind kind{};
    skip_space();
    if (peek() != '"') return fail("a key that is not a string");
    if (!string(key)) return false;
    skip_space();
    if (peek() != ':') return fail("a key without its value");
    ++at_;
    skip_space();
    if (!value(kind, raw, depth + 1)) return false;
    return depth > 0 || keep(key, kind, raw);
  }

  bool keep(std::string_view raw_key, JsonKind kind, std::string_view raw) {
    char decoded[kKeyBytesMax];
    std::size_t length = 0;
    if (!decode_json_string(raw_key, decoded, sizeof decoded, length)) return true;
    const std::string_view key(decoded, length);
    for (std::size_t i = 0; i < count_; ++i) {
      if (fields_[i].key != key) continue;
      if (fields_[i].kind != JsonKind::kAbsent) return fail("the same key twice");
      fields_[i].kind = kind;
      fields_[i].raw = raw;
    }
    return true;
  }

  std::string_view text_;
  JsonField* fields_;
  std::size_t count_;
  std::size_t at_ = 0;
};

std::size_t encode_utf8(unsigned point, char* out) {
  const auto tail = [&](unsigned shift) { return static_cast<char>(0x80U | ((point >> shift) & 0x3FU)); };
  if (point < 0x80) {
    out[0] = static_cast<char>(point);
    return 1;
  }
  if (point < 0x800) {
    out[0] = static_cast<char>(0xC0U | (point >> 6U));
    out[1] = tail(0);
    return 2;
  }
  if (point < 0x10000) {
    out[0] = static_cast<char>(0xE0U | (point >> 12U));
    out[1] = tail(6);
    out[2] = tail(0);
    return 3;
  }
  out[0] = static_cast<char>(0xF0U | (point >> 18U));
  out[1] = tail(12);
  out[2] = tail(6);
  out[3] = tail(0);
  return 4;
}

// Decodes the escape at the start of `raw` (already checked by the scanner); returns its length there.
std::size_t decode_escape(std::string_view raw, char* out, std::size_t& out_length) {
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (raw[1] != 'u') {
    const std::size_t at = kLetters.find(raw[1]);
    out[0] = at == std::string_view::npos ? '?' : kMeanings[at];
    out_length = 1;
    return 2;
  }
  const int unit = hex_quad(raw.substr(2));
  if (unit < 0xD800 || unit > 0xDBFF) {
    out_length = encode_utf8(unit < 0 ? '?' : static_cast<unsigned>(unit), out);
    return 6;
  }
  const int low = raw.size() >= 12 ? hex_quad(raw.substr(8)) : 0xDC00;
  out_length = encode_utf8(0x10000U + (static_cast<unsigned>(unit - 0xD800) << 10U) +
                               static_cast<unsigned>(low < 0xDC00 ? 0 : low - 0xDC00),
                           out);
  return 12;
}

}  // namespace

bool decode_json_string(std::string_view raw, char* out, std::size_t capacity, std::size_t& length) {
  length = 0;
  while (!raw.empty()) {
    char piece[4] = {raw[0]};
    std::size_t piece_length = 1;
    std::size_t taken = 1;
    if (raw[0] == '\\' && raw.size() >= 2) taken = decode_escape(raw, piece, piece_length);
    if (length + piece_length > capacity) return false;
    std::memcpy(out + length, piece, piece_length);
    length += piece_length;
    raw.remove_prefix(taken < raw.size() ? taken : raw.size());
  }
  return true;
}

const char* read_json_object(std::string_view text, JsonField* fields, std::size_t count) {
  if (text.size() > kJsonBytesMax) return "more JSON than a device reads";
  Scanner scanner(text, fields, count);
  return scanner.document() ? nullptr : scanner.problem;
}

Read read_unsigned(const JsonField& field, std::uint64_t min, std::uint64_t max, std::uint64_t& out) {
  if (field.kind == JsonKind::kAbsent || field.kind == JsonKind::kNull) return Read::kAbsent;
  if (field.kind != JsonKind::kNumber) return Read::kWrong;
  std::uint64_t value = 0;
  for (const char c : field.raw) {
    if (!is_digit(c)) return Read::kWrong;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (UINT64_MAX - digit) / 10) return Read::kWrong;
    value = value * 10 + digit;
  }
  if (value < min || value > max) return Read::kWrong;
  out = value;
  return Read::kOk;
}

Read read_bool(const JsonField& field, bool& out) {
  if (field.kind == JsonKind::kAbsent || field.kind == JsonKind::kNull) return Read::kAbsent;
  if (field.kind != JsonKind::kTrue && field.kind != JsonKind::kFalse) return Read::kWrong;
  out = field.kind == JsonKind::kTrue;
  return Read::kOk;
}

}  // namespace ota::device
