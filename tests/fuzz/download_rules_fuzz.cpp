#include "esp-client/core/download_rules.hpp"

#include <cstring>

#include "tests/fuzz/fuzz.hpp"

using namespace ota;

// A status, a length and an offset in 8 bytes, then Content-Range and X-Checksum-SHA256, a line each.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kNumbers = 8;
  if (size < kNumbers) return 0;
  const auto lines = fuzz::lines_of(fuzz::text_of(data + kNumbers, size - kNumbers), 2);
  device::Offer target;
  target.size_bytes = 1000;
  (void)target.sha256.assign(std::string(64, 'a'));
  device::ResponseHead head;
  head.status = 200U + data[0] * 2U;
  head.has_length = (data[1] & 1U) != 0;
  head.content_length = static_cast<std::uint64_t>(data[2]) << (data[3] % 56);
  head.retry_after_s = data[4] * 1000U;
  head.content_range = lines[0];
  head.checksum_sha256 = lines[1];
  const std::uint64_t offset = data[5] * 4U;
  const auto verdict = device::judge_response(head, target, offset);
  if (verdict.kind == device::Verdict::Kind::kFail) {
    fuzz::require(
        !verdict.failure.reason.view().empty() && fuzz::is_clean_utf8(verdict.failure.reason.view()),
        "a failure has its reason");
    return 0;
  }
  fuzz::require(head.status == 200 || head.status == 206, "nothing else brings an image");
  // The length of a part is left to the writer, which takes no byte beyond the image's size.
  fuzz::require(head.status == 206 || !head.has_length || head.content_length == target.size_bytes,
                "no body of another length is begun");
  return 0;
}
