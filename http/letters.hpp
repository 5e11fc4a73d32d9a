#pragma once

#include <algorithm>
#include <cctype>
#include <string_view>

namespace ota::http {

/// Whether two names are the same but for the case of their ASCII letters: names of headers, schemes, units
/// and codings are (RFC 9110 section 5.1). Thread safe.
[[nodiscard]] inline bool same_letters(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

/// Whether `text` begins with `name`, but for case.
[[nodiscard]] inline bool begins_with(std::string_view text, std::string_view name) {
  return same_letters(text.substr(0, name.size()), name);
}

}  // namespace ota::http
