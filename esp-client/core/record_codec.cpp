#include "esp-client/core/record_codec.hpp"

namespace ota::device {
namespace {

constexpr std::string_view kFormat = "2";
constexpr std::string_view kFold = "|";  // stands for a line end; no manifest holds one

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

class LineWriter {
 public:
  LineWriter(char* buffer, std::size_t capacity) : buffer_(buffer), capacity_(capacity) {}

  void line(std::string_view key, std::string_view value) {
    put(key);
    put("=");
    put(value);
    put("\n");
  }
  void line(std::string_view key, std::uint64_t value) {
    line(key, FixedString<20>().append_number(value).view());
  }
  // A text of several lines as one.
  void folded(std::string_view key, std::string_view value) {
    put(key);
    put("=");
    for (const char& c : value) put(c == '\n' ? kFold : std::string_view(&c, 1));
    put("\n");
  }
  std::string_view text() const { return overflow_ ? std::string_view() : std::string_view(buffer_, size_); }

 private:
  void put(std::string_view bytes) {
    if (overflow_ || bytes.size() > capacity_ - size_) {
      overflow_ = true;
      return;
    }
    std::memcpy(buffer_ + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }

  char* buffer_;
  std::size_t capacity_;
  std::size_t size_ = 0;
  bool overflow_ = false;
};

// Reads the lines in the order they were written; the first that differs spoils the record.
class LineReader {
 public:
  explicit LineReader(std::string_view text) : rest_(text) {}

  std::string_view text(std::string_view key) {
    const std::size_t end = rest_.find('\n');
    const std::string_view line = rest_.substr(0, end);
    if (end == std::string_view::npos || line.size() <= key.size() || line.substr(0, key.size()) != key ||
        line[key.size()] != '=') {
      ok = false;
      return {};
    }
    rest_.remove_prefix(end + 1);
    return line.substr(key.size() + 1);
  }

  template <std::size_t N>
  void into(std::string_view key, FixedString<N>& out) {
    ok = out.assign(text(key)) && ok;
  }
  template <std::size_t N>
  void unfolded(std::string_view key, FixedString<N>& out) {
    const std::string_view value = text(key);
    ok = ok && value.size() <= N;
    out.clear();
    for (const char& c : value) {
      const std::string_view one(&c, 1);
      out.append_cut(one == kFold ? "\n" : one);
    }
  }

  std::uint64_t number(std::string_view key, std::uint64_t max) {
    std::uint64_t value = 0;
    const std::string_view digits = text(key);
    ok = ok && !digits.empty();
    for (const char c : digits) {
      ok = ok && c >= '0' && c <= '9';
      const auto digit = static_cast<std::uint64_t>(c - '0');
      if (!ok || value > (UINT64_MAX - digit) / 10) return ok = false, 0;
      value = value * 10 + digit;
    }
    ok = ok && value <= max;
    return ok ? value : 0;
  }

  std::string_view rest() const { return rest_; }
  bool ok = true;

 private:
  std::string_view rest_;
};

void read_target(LineReader& lines, Record& record) {
  Offer& target = record.target;
  lines.into("attempt_id", target.attempt_id);
  lines.into("target_version", target.version);
  lines.into("target_sha256", target.sha256);
  lines.into("target_url", target.url);
  target.size_bytes = lines.number("target_size_bytes", UINT64_MAX);
  lines.unfolded("target_manifest", target.manifest);
  target.sequence = lines.number("target_sequence", UINT64_MAX);
  target.server_time_s = lines.number("target_time_s", UINT64_MAX);
  record.offset_bytes = lines.number("offset_bytes", target.size_bytes);
  record.install_tries = static_cast<std::uint32_t>(lines.number("install_tries", UINT32_MAX));
  lines.ok = lines.ok && is_version(target.version.view()) && is_sha256_hex(target.sha256.view()) &&
             is_url(target.url.view()) &&
             (target.attempt_id.empty() || is_attempt_token(target.attempt_id.view()));
}

void read_result(LineReader& lines, Result& result) {
  lines.into("result_attempt_id", result.attempt_id);
  lines.into("result_version", result.version);
  lines.ok = status_from_name(lines.text("result_status"), result.status) && lines.ok;
  lines.into("result_report_id", result.report_id);
  lines.into("result_reason", result.reason);
}

}  // namespace

std::string_view encode_record(const Record& record, char* buffer, std::size_t capacity) {
  LineWriter lines(buffer, capacity);
  lines.line("record_format", kFormat);
  lines.line("boot_count", record.boot_count);
  lines.line("sequence", record.sequence);
  lines.line("time_s", record.time_s);
  lines.line("phase", static_cast<std::uint64_t>(record.phase));
  if (record.phase != Phase::kNone) {
    lines.line("attempt_id", record.target.attempt_id.view());
    lines.line("target_version", record.target.version.view());
    lines.line("target_sha256", record.target.sha256.view());
    lines.line("target_url", record.target.url.view());
    lines.line("target_size_bytes", record.target.size_bytes);
    lines.folded("target_manifest", record.target.manifest.view());
    lines.line("target_sequence", record.target.sequence);
    lines.line("target_time_s", record.target.server_time_s);
    lines.line("offset_bytes", record.offset_bytes);
    lines.line("install_tries", record.install_tries);
  }
  lines.line("results", record.result_count);
  for (std::size_t i = 0; i < record.result_count; ++i) {
    const Result& result = record.results[i];
    lines.line("result_attempt_id", result.attempt_id.view());
    lines.line("result_version", result.version.view());
    lines.line("result_status", status_name(result.status));
    lines.line("result_report_id", result.report_id.view());
    lines.line("result_reason", result.reason.view());
  }
  lines.line("crc32", crc32(lines.text()));
  return lines.text();
}

bool decode_record(std::string_view text, Record& record) {
  LineReader lines(text);
  lines.ok = lines.text("record_format") == kFormat && lines.ok;
  record.boot_count = static_cast<std::uint32_t>(lines.number("boot_count", UINT32_MAX));
  record.sequence = lines.number("sequence", UINT64_MAX);
  record.time_s = lines.number("time_s", UINT64_MAX);
  record.phase = static_cast<Phase>(lines.number("phase", static_cast<std::uint64_t>(Phase::kInstalling)));
  if (lines.ok && record.phase != Phase::kNone) read_target(lines, record);
  record.result_count = lines.number("results", kResultsMax);
  for (std::size_t i = 0; lines.ok && i < record.result_count; ++i) read_result(lines, record.results[i]);
  const std::string_view checked = text.substr(0, text.size() - lines.rest().size());
  return lines.number("crc32", UINT32_MAX) == crc32(checked) && lines.ok;
}

}  // namespace ota::device
