#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "fleet/expected.hpp"
#include "fleet/json_value.hpp"
#include "fleet/limits.hpp"
#include "fleet/messages.hpp"

namespace ota::fleet {

/// The members of a body, read one by one with their type and range tested; optional ones may be absent or
/// null. Every error is `invalid` and names the field. Used by every edge, so a concept has one validator.
[[nodiscard]] Expected<std::string> required_text(const JsonValue& body, std::string_view field);
[[nodiscard]] Expected<std::optional<std::string>> optional_text(const JsonValue& body,
                                                                 std::string_view field);
[[nodiscard]] Expected<std::optional<std::int64_t>> optional_integer(const JsonValue& body,
                                                                     std::string_view field,
                                                                     std::int64_t least, std::int64_t most);
[[nodiscard]] Expected<std::optional<bool>> optional_bool(const JsonValue& body, std::string_view field);

/// Contract section 4, `check`: device_model, current_version, boot_id?, mac?, metadata?.
[[nodiscard]] Expected<Check> parse_check(const JsonValue& body);
/// The same from loose texts, as REST's query has them; empty `boot_id` and `mac` mean not sent.
[[nodiscard]] Expected<Check> make_check(std::string_view model, std::string_view version,
                                         std::string_view boot_id, std::string_view mac);

/// Contract section 1, update-status. A device_id in the body must equal `device_id`.
[[nodiscard]] Expected<Report> parse_report(const JsonValue& body, std::string_view device_id);

/// Contract section 4, `presence`.
[[nodiscard]] Expected<Presence> parse_presence(const JsonValue& body);

/// `text` cut to at most `bytes_max` bytes without splitting a UTF-8 character.
[[nodiscard]] std::string_view cut_utf8(std::string_view text, std::size_t bytes_max);

}  // namespace ota::fleet
