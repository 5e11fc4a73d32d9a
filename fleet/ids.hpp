#pragma once

#include <string>
#include <string_view>

#include "fleet/expected.hpp"
#include "fleet/limits.hpp"

namespace ota::fleet {

/// The one grammar for REST, MQTT and the command line: a whole-string match of [A-Za-z0-9._:-]{1,64},
/// not "." or "..". On failure `invalid` with a sentence that names `field`.
[[nodiscard]] Expected<std::string> parse_id(std::string_view field, std::string_view text);

/// Like parse_id, and '+' is allowed too (SemVer build metadata).
[[nodiscard]] Expected<std::string> parse_version_text(std::string_view field, std::string_view text);

/// A MAC address in any usual spelling (colons, dashes or none, either case), answered as AA:BB:CC:DD:EE:FF.
[[nodiscard]] Expected<std::string> parse_mac(std::string_view field, std::string_view text);

/// A short stand-in for hostile text in a message or log: control and non-ASCII bytes become '?', at most
/// 80 characters.
[[nodiscard]] std::string printable(std::string_view text);

/// printable(text) between single quotes.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace ota::fleet
