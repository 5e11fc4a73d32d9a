#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ota::device {

// Writes one flat JSON object into a buffer of the caller's. When the buffer is too small, text() is empty:
// half a message is never sent.
class JsonWriter {
 public:
  JsonWriter(char* buffer, std::size_t capacity_bytes);

  JsonWriter& string(std::string_view key, std::string_view value);
  JsonWriter& number(std::string_view key, std::uint64_t value);
  JsonWriter& boolean(std::string_view key, bool value);
  // `value` is JSON already: a token that came from the server and goes back as it was.
  JsonWriter& token(std::string_view key, std::string_view value);

  // Closes the object; call it once, at the end.
  [[nodiscard]] std::string_view text();

 private:
  void put(std::string_view bytes);
  void put_quoted(std::string_view value);
  void put_key(std::string_view key);

  char* buffer_;
  std::size_t capacity_;
  std::size_t size_ = 0;
  bool overflow_ = false;
};

}  // namespace ota::device
