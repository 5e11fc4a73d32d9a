#include "esp-client/core/json_writer.hpp"

#include <cstring>

#include "esp-client/core/fixed_string.hpp"

namespace ota::device {

JsonWriter::JsonWriter(char* buffer, std::size_t capacity_bytes)
    : buffer_(buffer), capacity_(capacity_bytes) {
  put("{");
}

void JsonWriter::put(std::string_view bytes) {
  if (overflow_ || bytes.size() > capacity_ - size_) {
    overflow_ = true;
    return;
  }
  std::memcpy(buffer_ + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

void JsonWriter::put_quoted(std::string_view value) {
  constexpr std::string_view kHex = "0123456789abcdef";
  put("\"");
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto byte = static_cast<unsigned char>(value[i]);
    if (byte == '"' || byte == '\\') {
      put("\\");
      put(value.substr(i, 1));
    } else if (byte < 0x20) {
      put("\\u00");
      put(kHex.substr(byte >> 4U, 1));
      put(kHex.substr(byte & 0xFU, 1));
    } else {
      put(value.substr(i, 1));
    }
  }
  put("\"");
}

void JsonWriter::put_key(std::string_view key) {
  if (size_ > 1) put(",");
  put_quoted(key);
  put(":");
}

JsonWriter& JsonWriter::string(std::string_view key, std::string_view value) {
  put_key(key);
  put_quoted(value);
  return *this;
}

JsonWriter& JsonWriter::number(std::string_view key, std::uint64_t value) {
  return token(key, FixedString<20>().append_number(value).view());
}

JsonWriter& JsonWriter::boolean(std::string_view key, bool value) {
  return token(key, value ? "true" : "false");
}

JsonWriter& JsonWriter::token(std::string_view key, std::string_view value) {
  put_key(key);
  put(value);
  return *this;
}

std::string_view JsonWriter::text() {
  put("}");
  return overflow_ ? std::string_view() : std::string_view(buffer_, size_);
}

}  // namespace ota::device
