#include "http/params.hpp"

#include <limits>

#include <algorithm>
#include <charconv>

#include "fleet/ids.hpp"
#include "fleet/known_names.hpp"

namespace ota::http {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

std::string with_plus(std::string_view text) {
  std::string version(text);
  std::replace(version.begin(), version.end(), ' ', '+');
  return version;
}

}  // namespace

Expected<std::string_view> optional_param(const Params& params, const char* name) {
  const auto [first, last] = params.equal_range(name);
  if (first == last) return std::string_view();
  if (std::next(first) != last) {
    return fleet::fail(ErrorKind::invalid, std::string("query parameter ") + name + " stands twice");
  }
  return std::string_view(first->second);
}

Expected<std::string_view> required_param(const Params& params, const char* name) {
  if (params.find(name) == params.end()) {
    return fleet::fail(ErrorKind::invalid, std::string("query parameter ") + name + " is missing");
  }
  return optional_param(params, name);
}

Expected<std::string> id_param(const Params& params, const char* name) {
  return required_param(params, name).and_then([&](std::string_view text) {
    return fleet::parse_id(name, text);
  });
}

Expected<std::string> optional_id_param(const Params& params, const char* name) {
  return optional_param(params, name).and_then([&](std::string_view text) -> Expected<std::string> {
    if (text.empty()) return std::string();
    return fleet::parse_id(name, text);
  });
}

Expected<std::string> version_param(const Params& params, const char* name) {
  return required_param(params, name).and_then([&](std::string_view text) {
    return fleet::parse_version_text(name, with_plus(text));
  });
}

Expected<std::string> optional_version_param(const Params& params, const char* name) {
  return optional_param(params, name).and_then([&](std::string_view text) -> Expected<std::string> {
    if (text.empty()) return std::string();
    return fleet::parse_version_text(name, with_plus(text));
  });
}

Expected<std::string> text_param(const Params& params, const char* name) {
  return optional_param(params, name).and_then([&](std::string_view text) -> Expected<std::string> {
    if (text.find('\0') != std::string_view::npos) {
      return fleet::fail(ErrorKind::invalid, std::string(name) + " holds a NUL character");
    }
    if (!is_utf8(text)) return fleet::fail(ErrorKind::malformed, std::string(name) + " is not valid UTF-8");
    return std::string(text);
  });
}

Expected<bool> flag_param(const Params& params, const char* name) {
  return optional_param(params, name).and_then([&](std::string_view text) -> Expected<bool> {
    if (text == "true" || text == "1") return true;
    if (text.empty() || text == "false" || text == "0") return false;
    return fleet::fail(ErrorKind::invalid, std::string(name) + " must be true or false");
  });
}

Expected<int> limit_param(const Params& params, int fallback, int most) {
  return optional_param(params, "limit").and_then([&](std::string_view text) -> Expected<int> {
    if (text.empty()) return fallback;
    if (const auto limit = parse_whole(text, 1, most)) return static_cast<int>(*limit);
    return fleet::fail(ErrorKind::invalid, "limit must be a whole number from 1 to " + std::to_string(most));
  });
}

std::vector<std::string> unknown_params(const Params& params, std::string_view known) {
  fleet::JsonValue::Object members;
  for (const auto& [name, value] : params) members.try_emplace(name);
  return fleet::unknown_members({std::move(members)}, known, "query parameter of this route");
}

fleet::Expected<std::int64_t> cursor_param(const Params& params) {
  const auto text = optional_param(params, "cursor");
  if (!text) return tl::unexpected(text.error());
  if (text->empty()) return 0;
  if (const auto id = parse_whole(*text, 1, std::numeric_limits<std::int64_t>::max())) return *id;
  return fleet::fail(fleet::ErrorKind::invalid, "cursor must be the next_cursor of the page before");
}

Expected<fleet::PageWanted> page_params(const Params& params, fleet::List list, int fallback, int most) {
  const auto limit = limit_param(params, fallback, most);
  if (!limit) return tl::unexpected(limit.error());
  const auto cursor = optional_param(params, "cursor");
  if (!cursor) return tl::unexpected(cursor.error());
  const auto after = fleet::parse_list_cursor(*cursor, list);
  if (!after) return tl::unexpected(after.error());
  return fleet::PageWanted{*limit, *after};
}

std::optional<std::int64_t> parse_whole(std::string_view text, std::int64_t least, std::int64_t most) {
  std::int64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stopped != end || number < least || number > most) return std::nullopt;
  return number;
}

bool is_utf8(std::string_view text) {
  // RFC 3629: the shortest form only, no surrogates, nothing above U+10FFFF.
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = [&](std::size_t offset) {
      return at + offset < text.size() ? static_cast<unsigned char>(text[at + offset]) : 0U;
    };
    const unsigned lead = byte(0);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xC2 ? 0
                               : lead < 0xE0 ? 2
                               : lead < 0xF0 ? 3
                               : lead < 0xF5 ? 4
                                             : 0;
    if (length == 0) return false;
    for (std::size_t i = 1; i < length; ++i) {
      if ((byte(i) & 0xC0U) != 0x80U) return false;
    }
    const unsigned second = byte(1);
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
        (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
      return false;
    }
    at += length;
  }
  return true;
}

}  // namespace ota::http
