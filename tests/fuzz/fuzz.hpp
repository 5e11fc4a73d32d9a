#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/expected.hpp"

/// What libFuzzer, and our own driver (corpus_driver.cpp), call with every input. Never kept between calls.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace ota::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// A property that must hold for every input; a finding when it does not.
inline void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "property violated: %s\n", property);
  std::abort();
}

/// Valid UTF-8 without control characters, by RFC 3629 and in a way of its own: what is told to clients and
/// logs must be so.
inline bool is_clean_utf8(std::string_view text) {
  std::size_t following = 0;
  std::uint32_t character = 0;
  std::uint32_t least = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (following > 0) {
      if ((byte & 0xC0U) != 0x80U) return false;
      character = (character << 6U) | (byte & 0x3FU);
      --following;
      const bool is_surrogate = character >= 0xD800 && character <= 0xDFFF;
      if (following == 0 && (character < least || character > 0x10FFFF || is_surrogate)) return false;
    } else if (byte >= 0xF0) {
      if (byte > 0xF7) return false;
      following = 3, character = byte & 0x07U, least = 0x10000;
    } else if (byte >= 0xE0) {
      following = 2, character = byte & 0x0FU, least = 0x800;
    } else if (byte >= 0xC0) {
      following = 1, character = byte & 0x1FU, least = 0x80;
    } else if (byte >= 0x80 || byte < 0x20 || byte == 0x7F) {
      return false;
    }
  }
  return following == 0;
}

/// The error of a parser: one bounded sentence, fit for a log.
inline void require_sentence(const std::string& message) {
  constexpr std::size_t kSentenceBytesMax = 1024;
  require(!message.empty() && message.size() <= kSentenceBytesMax, "an error is a bounded sentence");
  require(is_clean_utf8(message), "an error's text is clean UTF-8");
}

template <class T>
const T* value_or_sentence(const fleet::Expected<T>& result) {
  if (!result) require_sentence(result.error().message);
  return result ? &*result : nullptr;
}

/// The lines of an input, at most `count` of them; the last one holds the rest.
inline std::vector<std::string_view> lines_of(std::string_view text, std::size_t count) {
  std::vector<std::string_view> lines;
  while (lines.size() + 1 < count && text.find('\n') != std::string_view::npos) {
    lines.push_back(text.substr(0, text.find('\n')));
    text.remove_prefix(text.find('\n') + 1);
  }
  lines.push_back(text);
  lines.resize(count);
  return lines;
}

}  // namespace ota::fuzz
