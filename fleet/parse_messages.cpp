#include "fleet/parse_messages.hpp"

#include "fleet/ids.hpp"
#include "fleet/strict_json.hpp"

namespace ota::fleet {
namespace {

const JsonValue* present(const JsonValue& body, std::string_view field) {
  const auto* member = body.find(field);
  return member == nullptr || std::holds_alternative<std::nullptr_t>(member->value) ? nullptr : member;
}

tl::unexpected<Error> wrong(std::string_view field, const std::string& right) {
  return fail(ErrorKind::invalid, std::string(field) + " must be " + right);
}

Expected<void> require_object(const JsonValue& body) {
  if (std::holds_alternative<JsonValue::Object>(body.value)) return {};
  return fail(ErrorKind::invalid, "the body must be a JSON object");
}

}  // namespace

std::string_view cut_utf8(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  auto end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

Expected<std::optional<std::string>> optional_text(const JsonValue& body, std::string_view field) {
  const auto* member = present(body, field);
  if (member == nullptr) return std::nullopt;
  if (const auto* text = std::get_if<std::string>(&member->value)) return *text;
  return wrong(field, "a text");
}

Expected<std::string> required_text(const JsonValue& body, std::string_view field) {
  auto text = optional_text(body, field);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return fail(ErrorKind::invalid, std::string(field) + " is missing");
  return **text;
}

Expected<std::optional<std::int64_t>> optional_integer(const JsonValue& body, std::string_view field,
                                                       std::int64_t least, std::int64_t most) {
  const auto* member = present(body, field);
  if (member == nullptr) return std::nullopt;
  const auto* number = std::get_if<std::int64_t>(&member->value);
  if (number == nullptr || *number < least || *number > most) {
    return wrong(field, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return *number;
}

Expected<std::optional<bool>> optional_bool(const JsonValue& body, std::string_view field) {
  const auto* member = present(body, field);
  if (member == nullptr) return std::nullopt;
  if (const auto* flag = std::get_if<bool>(&member->value)) return *flag;
  return wrong(field, "true or false");
}

Expected<Check> make_check(std::string_view model, std::string_view version, std::string_view boot_id,
                           std::string_view mac) {
  Check check;
  auto parsed_model = parse_id("device_model", model);
  if (!parsed_model) return tl::unexpected(parsed_model.error());
  check.model = std::move(*parsed_model);
  auto parsed_version = parse_version_text("current_version", version);
  if (!parsed_version) return tl::unexpected(parsed_version.error());
  check.version = std::move(*parsed_version);
  if (!boot_id.empty()) {
    auto parsed = parse_id("boot_id", boot_id);
    if (!parsed) return tl::unexpected(parsed.error());
    check.boot_id = std::move(*parsed);
  }
  if (!mac.empty()) {
    auto parsed = parse_mac("mac", mac);
    if (!parsed) return tl::unexpected(parsed.error());
    check.mac = std::move(*parsed);
  }
  return check;
}

Expected<Check> parse_check(const JsonValue& body) {
  if (auto object = require_object(body); !object) return tl::unexpected(object.error());
  const auto model = required_text(body, "device_model");
  if (!model) return tl::unexpected(model.error());
  const auto version = required_text(body, "current_version");
  if (!version) return tl::unexpected(version.error());
  const auto boot_id = optional_text(body, "boot_id");
  if (!boot_id) return tl::unexpected(boot_id.error());
  const auto mac = optional_text(body, "mac");
  if (!mac) return tl::unexpected(mac.error());
  auto check = make_check(*model, *version, boot_id->value_or(""), mac->value_or(""));
  if (!check) return check;
  if (const auto* metadata = present(body, "metadata")) {
    if (!std::holds_alternative<JsonValue::Object>(metadata->value))
      return wrong("metadata", "a JSON object");
    check->reported_json = to_json(*metadata);
    if (check->reported_json.size() > kReportedBytesMax) {
      return wrong("metadata", "at most " + std::to_string(kReportedBytesMax) + " bytes");
    }
  }
  return check;
}

Expected<Report> parse_report(const JsonValue& body, std::string_view device_id) {
  if (auto object = require_object(body); !object) return tl::unexpected(object.error());
  const auto named = optional_text(body, "device_id");
  if (!named) return tl::unexpected(named.error());
  if (*named && **named != device_id) {
    return fail(ErrorKind::invalid, "device_id '" + printable(**named) +
                                        "' is not the device of the path or topic, '" + printable(device_id) +
                                        "'");
  }
  Report report;
  const auto version = required_text(body, "firmware_version");
  if (!version) return tl::unexpected(version.error());
  auto parsed_version = parse_version_text("firmware_version", *version);
  if (!parsed_version) return tl::unexpected(parsed_version.error());
  report.version = std::move(*parsed_version);
  const auto status = required_text(body, "status");
  if (!status) return tl::unexpected(status.error());
  const auto parsed_status = parse_status(*status);
  if (!parsed_status) {
    return wrong("status",
                 "one of pending, downloading, downloaded, installing, success, failed, rolled_back");
  }
  report.status = *parsed_status;
  const auto progress = optional_integer(body, "progress_percent", 0, 100);
  if (!progress) return tl::unexpected(progress.error());
  if (*progress) report.progress_percent = static_cast<int>(**progress);
  const auto error = optional_text(body, "error_message");
  if (!error) return tl::unexpected(error.error());
  report.error = std::string(cut_utf8(error->value_or(""), kErrorMessageBytesMax));
  const auto attempt = optional_integer(body, "attempt_id", 1, INT64_MAX);
  if (!attempt) return tl::unexpected(attempt.error());
  report.attempt_id = *attempt;
  auto report_id = optional_text(body, "report_id");
  if (!report_id) return tl::unexpected(report_id.error());
  if (*report_id && ((*report_id)->empty() || (*report_id)->size() > kReportIdBytesMax)) {
    return wrong("report_id", "a text of 1 to " + std::to_string(kReportIdBytesMax) + " bytes");
  }
  report.report_id = std::move(*report_id);
  return report;
}

Expected<Presence> parse_presence(const JsonValue& body) {
  if (auto object = require_object(body); !object) return tl::unexpected(object.error());
  const auto online = optional_bool(body, "online");
  if (!online) return tl::unexpected(online.error());
  if (!*online) return fail(ErrorKind::invalid, "online is missing");
  return Presence{**online};
}

}  // namespace ota::fleet
