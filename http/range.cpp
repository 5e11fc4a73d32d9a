#include "http/range.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "http/letters.hpp"

namespace ota::http {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Digits as a number; more than 64 bits hold is the largest, which lies beyond every body.
std::optional<std::uint64_t> position(std::string_view digits) {
  if (digits.empty()) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
    const auto digit = static_cast<std::uint64_t>(c - '0');
    number = number > (kMax - digit) / 10 ? kMax : number * 10 + digit;
  }
  return number;
}

}  // namespace

RangeOutcome parse_range(std::string_view header, std::size_t size, ByteRange& range) {
  if (!begins_with(header, "bytes=")) return RangeOutcome::whole;
  const auto spec = trimmed(header.substr(6));
  const auto dash = spec.find('-');
  if (dash == std::string_view::npos || spec.find(',') != std::string_view::npos) return RangeOutcome::whole;
  const auto first = position(spec.substr(0, dash));
  const auto last = position(spec.substr(dash + 1));
  const bool first_given = dash > 0;
  const bool last_given = dash + 1 < spec.size();
  if ((first_given && !first) || (last_given && !last) || (!first && !last)) return RangeOutcome::whole;

  if (!first) {  // the last so many bytes
    if (*last == 0) return RangeOutcome::unsatisfiable;
    range.length = static_cast<std::size_t>(std::min<std::uint64_t>(*last, size));
    range.offset = size - range.length;
    return range.length > 0 ? RangeOutcome::part : RangeOutcome::unsatisfiable;
  }
  if (last && *last < *first) return RangeOutcome::whole;
  if (*first >= size) return RangeOutcome::unsatisfiable;
  range.offset = static_cast<std::size_t>(*first);
  const std::uint64_t rest = size - range.offset;
  range.length = static_cast<std::size_t>(last ? std::min(*last - *first, rest - 1) + 1 : rest);
  return RangeOutcome::part;
}

bool names_etag(std::string_view header, std::string_view etag) {
  while (!header.empty()) {
    const auto comma = header.find(',');
    auto one = trimmed(header.substr(0, comma));
    if (one.substr(0, 2) == "W/") one.remove_prefix(2);
    if (one == "*" || one == etag) return true;
    if (comma == std::string_view::npos) break;
    header.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace ota::http
