#include "esp-client/core/messages.hpp"

#include "esp-client/core/json_reader.hpp"
#include "esp-client/core/json_writer.hpp"

namespace ota::device {
namespace {

// False when there is an attempt id that does not follow the grammar.
bool read_attempt_id(const JsonField& field, AttemptId& out) {
  if (field.kind == JsonKind::kAbsent || field.kind == JsonKind::kNull) return true;
  FixedString<kIdBytesMax + 2> token;
  if (field.kind == JsonKind::kNumber) {
    token.append_cut(field.raw);
  } else if (field.kind == JsonKind::kString && field.raw.size() <= kIdBytesMax) {
    token.append_cut("\"").append_cut(field.raw).append_cut("\"");
  }
  return is_attempt_token(token.view()) && out.assign(token.view());
}

Sha256Hex lower_case(const Sha256Hex& hex) {
  Sha256Hex lowered;
  for (const char c : hex.view()) {
    const char low = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    lowered.append_cut(std::string_view(&low, 1));
  }
  return lowered;
}

constexpr std::uint64_t kStartWithinMaxS = 86400;

// Returns nullptr, or what is wrong with it.
const char* read_answer(std::string_view payload, Answer& answer) {
  enum {
    kAvailable,
    kAttempt,
    kReason,
    kVersion,
    kUrl,
    kSize,
    kSha256,
    kStartWithin,
    kManifest,
    kManifestUrl,
    kServerTime,
    kCount
  };
  JsonField fields[kCount] = {{"update_available"}, {"attempt_id"},           {"reason"},
                              {"latest_version"},   {"download_url"},         {"file_size"},
                              {"checksum_sha256"},  {"start_within_seconds"}, {"manifest"},
                              {"manifest_url"},     {"server_time"}};
  if (const char* problem = read_json_object(payload, fields, kCount)) return problem;
  bool available = false;
  if (read_bool(fields[kAvailable], available) != Read::kOk) return "update_available is not true or false";
  if (!read_attempt_id(fields[kAttempt], answer.offer.attempt_id)) {
    return "attempt_id is neither a number nor an id";
  }
  if (!available) {
    const bool withdrawn = fields[kReason].kind == JsonKind::kString && fields[kReason].raw == "withdrawn";
    answer.attempt_id = answer.offer.attempt_id;
    answer.kind = withdrawn && !answer.attempt_id.empty() ? AnswerKind::kWithdrawn : AnswerKind::kNoUpdate;
    return nullptr;
  }
  Offer& offer = answer.offer;
  if (read_string(fields[kVersion], offer.version) != Read::kOk || !is_version(offer.version.view())) {
    offer.version.clear();
    return "latest_version is not a version";
  }
  if (read_string(fields[kUrl], offer.url) != Read::kOk || !is_url(offer.url.view())) {
    return "download_url is not a URL of at most 512 bytes";
  }
  if (read_unsigned(fields[kSize], 1, UINT64_MAX, offer.size_bytes) != Read::kOk) {
    return "file_size is not a whole number above 0";
  }
  if (read_string(fields[kSha256], offer.sha256) != Read::kOk || !is_sha256_hex(offer.sha256.view())) {
    return "checksum_sha256 is not 64 hex digits";
  }
  offer.sha256 = lower_case(offer.sha256);
  std::uint64_t start_within_s = 0;
  if (read_unsigned(fields[kStartWithin], 0, kStartWithinMaxS, start_within_s) == Read::kWrong) {
    return "start_within_seconds is not a whole number up to 86400";
  }
  offer.start_within_s = static_cast<std::uint32_t>(start_within_s);
  if (read_string(fields[kManifest], offer.manifest) == Read::kWrong) {
    return "manifest is not a text of at most 1024 bytes";
  }
  if (const Read read = read_string(fields[kManifestUrl], answer.manifest_url);
      read == Read::kWrong || (read == Read::kOk && !is_url(answer.manifest_url.view()))) {
    return "manifest_url is not a URL of at most 512 bytes";
  }
  if (read_unsigned(fields[kServerTime], 0, UINT64_MAX, offer.server_time_s) == Read::kWrong) {
    return "server_time is not a whole number of seconds";
  }
  answer.kind = AnswerKind::kOffer;
  return nullptr;
}

}  // namespace

Answer decode_answer(std::string_view payload) {
  Answer answer;
  if (const char* problem = read_answer(payload, answer)) {
    answer.kind = AnswerKind::kBad;
    answer.problem = problem;
  }
  return answer;
}

bool decode_ack(std::string_view payload, Ack& out) {
  JsonField fields[] = {{"report_id"}, {"recorded"}};
  if (read_json_object(payload, fields, 2) != nullptr) return false;
  return read_string(fields[0], out.report_id) == Read::kOk &&
         read_bool(fields[1], out.recorded) == Read::kOk;
}

std::string_view encode_check(const Identity& identity, std::string_view running_version,
                              std::string_view boot_id, char* buffer, std::size_t capacity) {
  JsonWriter json(buffer, capacity);
  json.string("device_model", identity.model.view())
      .string("current_version", running_version)
      .string("boot_id", boot_id);
  if (!identity.mac.empty()) json.string("mac", identity.mac.view());
  return json.text();
}

std::string_view encode_status(const Identity& identity, const Report& report, char* buffer,
                               std::size_t capacity) {
  JsonWriter json(buffer, capacity);
  json.string("device_id", identity.device_id.view())
      .string("firmware_version", report.version)
      .string("status", status_name(report.status))
      .number("progress_percent", report.progress_percent);
  if (!report.reason.empty()) json.string("error_message", report.reason);
  if (!report.attempt_id.empty()) json.token("attempt_id", report.attempt_id);
  json.string("report_id", report.report_id);
  return json.text();
}

std::string_view encode_online(const Identity& identity, std::string_view running_version, char* buffer,
                               std::size_t capacity) {
  JsonWriter json(buffer, capacity);
  json.boolean("online", true)
      .string("device_model", identity.model.view())
      .string("current_version", running_version);
  return json.text();
}

}  // namespace ota::device
