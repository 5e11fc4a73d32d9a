#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace ota::http {

/// A stretch of a body.
struct ByteRange {
  std::size_t offset = 0;
  std::size_t length = 0;
};

enum class RangeOutcome {
  whole,          ///< no range, several, or one that cannot be read: the whole body (RFC 9110 section 14.2)
  part,           ///< 206
  unsatisfiable,  ///< 416
};

/// What `header` (the Range header's value) asks of a body of `size` bytes; `range` is set for `part`.
[[nodiscard]] RangeOutcome parse_range(std::string_view header, std::size_t size, ByteRange& range);

/// Whether `header` (If-None-Match: a list, or *) names `etag`, compared weakly (RFC 9110 section 13.1.2).
[[nodiscard]] bool names_etag(std::string_view header, std::string_view etag);

}  // namespace ota::http
