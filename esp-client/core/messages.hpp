#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "esp-client/core/model.hpp"

namespace ota::device {

// The payloads of contract section 4 as the device writes and reads them. REST carries the same bodies.

inline constexpr std::size_t kMessageBytesMax = 1024;  // every message the device writes fits

// What stands on the offer topic, or in the answer of GET /api/firmware/check.
enum class AnswerKind : std::uint8_t { kOffer, kNoUpdate, kWithdrawn, kBad };

struct Answer {
  AnswerKind kind = AnswerKind::kBad;
  Offer offer;               // kOffer; for kBad as far as it could be read
  AttemptId attempt_id;      // kWithdrawn
  Url manifest_url;          // kOffer: where the manifest is, when it had no room in the message
  const char* problem = "";  // kBad: a sentence with static storage
};

[[nodiscard]] Answer decode_answer(std::string_view payload);

struct Ack {
  ReportId report_id;
  bool recorded = false;  // false is final too: the server will never take this report
};

[[nodiscard]] bool decode_ack(std::string_view payload, Ack& out);

struct Report {
  std::string_view attempt_id;  // a JSON token; empty: left out
  std::string_view version;
  Status status = Status::kPending;
  unsigned progress_percent = 0;
  std::string_view reason;  // empty: left out
  std::string_view report_id;
};

// Each returns the message inside `buffer`, or an empty view when it does not fit.
[[nodiscard]] std::string_view encode_check(const Identity& identity, std::string_view running_version,
                                            std::string_view boot_id, char* buffer, std::size_t capacity);
[[nodiscard]] std::string_view encode_status(const Identity& identity, const Report& report, char* buffer,
                                             std::size_t capacity);
[[nodiscard]] std::string_view encode_online(const Identity& identity, std::string_view running_version,
                                             char* buffer, std::size_t capacity);

inline constexpr std::string_view kOffline = R"({"online":false})";  // the last will

}  // namespace ota::device
