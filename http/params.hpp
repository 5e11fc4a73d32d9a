#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/expected.hpp"
#include "fleet/list_cursor.hpp"
#include "http/exchange.hpp"

namespace ota::http {

/// Query parameters with their type and range tested, one by one. Every error names the parameter: `invalid`,
/// or `malformed` where a text is not UTF-8. An optional parameter that is empty counts as absent; one that
/// stands twice is refused, since two readers might take different ones.
[[nodiscard]] fleet::Expected<std::string_view> required_param(const Params& params, const char* name);
[[nodiscard]] fleet::Expected<std::string_view> optional_param(const Params& params, const char* name);

[[nodiscard]] fleet::Expected<std::string> id_param(const Params& params, const char* name);
[[nodiscard]] fleet::Expected<std::string> optional_id_param(const Params& params, const char* name);
/// Versions: clients that do not URL-encode send a '+' that arrives as a space (contract section 1).
[[nodiscard]] fleet::Expected<std::string> version_param(const Params& params, const char* name);
[[nodiscard]] fleet::Expected<std::string> optional_version_param(const Params& params, const char* name);
/// Free text: valid UTF-8 without NUL.
[[nodiscard]] fleet::Expected<std::string> text_param(const Params& params, const char* name);
/// true, false, 1 or 0; absent is false.
[[nodiscard]] fleet::Expected<bool> flag_param(const Params& params, const char* name);
[[nodiscard]] fleet::Expected<int> limit_param(const Params& params, int fallback, int most);

/// A sentence for each parameter that is not `known` (fleet/known_names.hpp), for ten of them at most.
[[nodiscard]] std::vector<std::string> unknown_params(const Params& params, std::string_view known);

/// The `cursor` of a list's next page, as the page before answered it; absent is 0.
[[nodiscard]] fleet::Expected<std::int64_t> cursor_param(const Params& params);

/// The part of a list by time that `limit` and `cursor` ask for.
[[nodiscard]] fleet::Expected<fleet::PageWanted> page_params(const Params& params, fleet::List list,
                                                             int fallback, int most);

/// A whole decimal number from `least` to `most`, nothing around it; nullopt otherwise. Never wraps.
[[nodiscard]] std::optional<std::int64_t> parse_whole(std::string_view text, std::int64_t least,
                                                      std::int64_t most);

[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace ota::http
