#pragma once
#include <cstdint>
#include <string_view>

#include "esp-client/core/model.hpp"

namespace ota::device {

// What a failed download means for the attempt; update_machine decides what follows.
enum class FailureKind : std::uint8_t {
  kNetwork,     // try again from where it stood
  kBusy,        // the server asks to come back later (503, 429)
  kRefused,     // the server will not give this URL (4xx); a fresh offer may know a better one
  kRangeLost,   // what is in the slot is no use: start at 0
  kWrongImage,  // not the image that was offered: final
  kTooSlow,     // below the minimum rate
  kFlash,       // the slot cannot be written: final
};

struct DownloadFailure {
  FailureKind kind = FailureKind::kNetwork;
  std::uint32_t retry_after_s = 0;  // kBusy
  Reason reason;
};

// The head of an HTTP answer, as far as the rules need it.
struct ResponseHead {
  unsigned status = 0;
  bool has_length = false;
  std::uint64_t content_length = 0;
  std::string_view content_range;    // the header's value; empty: absent
  std::string_view checksum_sha256;  // X-Checksum-SHA256; empty: absent
  std::uint32_t retry_after_s = 0;
};

struct Verdict {
  enum class Kind : std::uint8_t { kContinue, kRestart, kFail } kind = Kind::kFail;
  DownloadFailure failure;  // kFail
};

// Pure: judges the answer to a request for `target` from offset_bytes on. kRestart: the server sends the
// whole image although a part was asked for, so the slot is written from 0.
[[nodiscard]] Verdict judge_response(const ResponseHead& head, const Offer& target,
                                     std::uint64_t offset_bytes);

}  // namespace ota::device
