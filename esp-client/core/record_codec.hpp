#pragma once
#include <cstddef>
#include <string_view>

#include "esp-client/core/model.hpp"

namespace ota::device {

// The record as text lines `key=value`, closed by a line with their CRC-32. A record that fails the check
// (torn, foreign, from a newer core) reads as none: the device then asks the server anew and loses nothing
// but a half download or an unacknowledged result, which the hello with its version settles.

inline constexpr std::size_t kRecordBytesMax = 3840;

// Empty when it does not fit into `capacity`; kRecordBytesMax always suffices.
[[nodiscard]] std::string_view encode_record(const Record& record, char* buffer, std::size_t capacity);
// `out` is fresh when it is called, and of no use when the answer is false.
[[nodiscard]] bool decode_record(std::string_view text, Record& out);

}  // namespace ota::device
