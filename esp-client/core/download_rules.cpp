#include "esp-client/core/download_rules.hpp"

namespace ota::device {
namespace {

Verdict fail(FailureKind kind, const Reason& reason, std::uint32_t retry_after_s = 0) {
  return Verdict{Verdict::Kind::kFail, DownloadFailure{kind, retry_after_s, reason}};
}

bool take_number(std::string_view& text, std::uint64_t& out) {
  std::size_t length = 0;
  out = 0;
  while (length < text.size() && length < 19 && text[length] >= '0' && text[length] <= '9') {
    out = out * 10 + static_cast<std::uint64_t>(text[length++] - '0');
  }
  text.remove_prefix(length);
  return length > 0;
}

bool take_text(std::string_view& text, std::string_view expected) {
  if (text.substr(0, expected.size()) != expected) return false;
  text.remove_prefix(expected.size());
  return true;
}

// "bytes 100-199/500"
bool parse_content_range(std::string_view text, std::uint64_t& first, std::uint64_t& last,
                         std::uint64_t& total) {
  return take_text(text, "bytes ") && take_number(text, first) && take_text(text, "-") &&
         take_number(text, last) && take_text(text, "/") && take_number(text, total) && text.empty() &&
         first <= last && last < total;
}

bool same_hex(std::string_view a, std::string_view lower_b) {
  if (a.size() != lower_b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char low = a[i] >= 'A' && a[i] <= 'F' ? static_cast<char>(a[i] - 'A' + 'a') : a[i];
    if (low != lower_b[i]) return false;
  }
  return true;
}

Reason wrong_size(std::uint64_t got_bytes, std::uint64_t offered_bytes) {
  return Reason()
      .append_cut("the server's image has ")
      .append_number(got_bytes)
      .append_cut(" bytes, the offer said ")
      .append_number(offered_bytes);
}

Verdict judge_partial(const ResponseHead& head, const Offer& target, std::uint64_t offset_bytes) {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t total = 0;
  const Reason foreign = Reason().append_cut("the server answered another range than asked for");
  if (!parse_content_range(head.content_range, first, last, total) || first != offset_bytes) {
    return fail(FailureKind::kRangeLost, foreign);
  }
  if (total != target.size_bytes) return fail(FailureKind::kWrongImage, wrong_size(total, target.size_bytes));
  return Verdict{Verdict::Kind::kContinue, {}};
}

Verdict judge_whole(const ResponseHead& head, const Offer& target, std::uint64_t offset_bytes) {
  if (head.has_length && head.content_length != target.size_bytes) {
    return fail(FailureKind::kWrongImage, wrong_size(head.content_length, target.size_bytes));
  }
  return Verdict{offset_bytes > 0 ? Verdict::Kind::kRestart : Verdict::Kind::kContinue, {}};
}

}  // namespace

Verdict judge_response(const ResponseHead& head, const Offer& target, std::uint64_t offset_bytes) {
  const Reason answered = Reason().append_cut("the server answered ").append_number(head.status);
  if (head.status == 503 || head.status == 429) return fail(FailureKind::kBusy, answered, head.retry_after_s);
  if (head.status == 416 && offset_bytes > 0) return fail(FailureKind::kRangeLost, answered);
  if (head.status == 408 || head.status >= 500) return fail(FailureKind::kNetwork, answered);
  if (head.status != 200 && head.status != 206) return fail(FailureKind::kRefused, answered);
  if (!head.checksum_sha256.empty() && !same_hex(head.checksum_sha256, target.sha256.view())) {
    return fail(FailureKind::kWrongImage,
                Reason().append_cut("the server's image has another SHA-256 than the offer said"));
  }
  return head.status == 206 ? judge_partial(head, target, offset_bytes)
                            : judge_whole(head, target, offset_bytes);
}

}  // namespace ota::device
