#include "fleet/ids.hpp"

#include <algorithm>
#include <cctype>

namespace ota::fleet {
namespace {

bool is_id_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == ':' || c == '-';
}

Expected<std::string> parse_text(std::string_view field, std::string_view text, bool plus_allowed) {
  const std::string name(field);
  if (text.empty()) return fail(ErrorKind::invalid, name + " is empty; it takes 1 to 64 characters");
  if (text.size() > kIdCharsMax) {
    return fail(ErrorKind::invalid,
                name + " has " + std::to_string(text.size()) + " characters; at most 64 are allowed");
  }
  const bool clean = std::all_of(text.begin(), text.end(),
                                 [&](char c) { return is_id_char(c) || (plus_allowed && c == '+'); });
  if (!clean || text == "." || text == "..") {
    return fail(ErrorKind::invalid, name + " '" + printable(text) +
                                        "' is not allowed; use letters, digits and . _ : -" +
                                        (plus_allowed ? " +" : "") + ", and not . or .. alone");
  }
  return std::string(text);
}

}  // namespace

Expected<std::string> parse_id(std::string_view field, std::string_view text) {
  return parse_text(field, text, false);
}

Expected<std::string> parse_version_text(std::string_view field, std::string_view text) {
  return parse_text(field, text, true);
}

Expected<std::string> parse_mac(std::string_view field, std::string_view text) {
  std::string digits;
  for (const char c : text.substr(0, 18)) {
    if (std::isxdigit(static_cast<unsigned char>(c)) != 0) {
      digits += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    } else if (c != ':' && c != '-') {
      digits.clear();
      break;
    }
  }
  if (digits.size() != 12 || text.size() > 17) {
    return fail(ErrorKind::invalid, std::string(field) + " '" + printable(text) +
                                        "' is not a MAC address such as AA:BB:CC:DD:EE:FF");
  }
  std::string mac;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    if (i > 0) mac += ':';
    mac += digits.substr(i, 2);
  }
  return mac;
}

std::string printable(std::string_view text) {
  constexpr std::size_t kShownMax = 80;
  std::string shown(text.substr(0, kShownMax));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  if (text.size() > kShownMax) shown += "...";
  return shown;
}

std::string quoted(std::string_view text) {
  return std::string("'").append(printable(text)).append("'");
}

}  // namespace ota::fleet
