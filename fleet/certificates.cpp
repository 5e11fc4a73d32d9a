#include "fleet/certificates.hpp"

#include <cctype>

#include "fleet/ids.hpp"

namespace ota::fleet {

Expected<std::string> parse_serial(std::string_view field, std::string_view text) {
  constexpr std::size_t kDigitsMax = 40;
  constexpr std::size_t kTextMax = 80;
  std::string digits;
  bool clean = text.size() <= kTextMax;
  for (const char c : text.substr(0, kTextMax)) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isxdigit(byte) != 0) {
      digits += static_cast<char>(std::tolower(byte));
    } else if (c != ':') {
      clean = false;
    }
  }
  digits.erase(0, digits.find_first_not_of('0'));
  if (digits.size() % 2 != 0) digits.insert(digits.begin(), '0');
  if (!clean || digits.empty() || digits.size() > kDigitsMax) {
    return fail(ErrorKind::invalid, std::string(field) + " " + quoted(text) +
                                        " is not a certificate's serial number: up to 20 bytes in hex");
  }
  return digits;
}

}  // namespace ota::fleet
