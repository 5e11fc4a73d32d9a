#include "http/certificate_body.hpp"

#include "fleet/ids.hpp"
#include "fleet/known_names.hpp"
#include "fleet/parse_messages.hpp"
#include "fleet/strict_json.hpp"
#include "http/rollout_body.hpp"

namespace ota::http {
namespace {

using fleet::ErrorKind;
using fleet::Expected;
using fleet::JsonValue;

constexpr std::int64_t kTokenMinutes = 24 * 60;

Expected<std::string> read_csr(const JsonValue& body) {
  auto csr = fleet::required_text(body, "csr");
  if (csr && csr->size() > fleet::kCsrBytesMax) {
    return fleet::fail(ErrorKind::invalid,
                       "csr must have at most " + std::to_string(fleet::kCsrBytesMax) + " bytes");
  }
  return csr;
}

Expected<std::string> read_id(const JsonValue& body, std::string_view field) {
  return fleet::required_text(body, field).and_then([&](const std::string& text) {
    return fleet::parse_id(field, text);
  });
}

// Null and the empty text are as good as not given.
Expected<std::string> read_optional_id(const JsonValue& body, std::string_view field) {
  const auto text = fleet::optional_text(body, field);
  if (!text) return tl::unexpected(text.error());
  if (!*text || (*text)->empty()) return std::string();
  return fleet::parse_id(field, **text);
}

Expected<std::vector<std::string>> read_serials(const JsonValue& body) {
  std::vector<std::string> serials;
  const auto* member = body.find("serials");
  if (member == nullptr || std::holds_alternative<std::nullptr_t>(member->value)) return serials;
  const auto* list = std::get_if<JsonValue::Array>(&member->value);
  if (list == nullptr || list->size() > fleet::kSerialsMax) {
    return fleet::fail(ErrorKind::invalid,
                       "serials must be a list of at most " + std::to_string(fleet::kSerialsMax) + " texts");
  }
  for (const auto& item : *list) {
    const auto* text = std::get_if<std::string>(&item.value);
    if (text == nullptr) return fleet::fail(ErrorKind::invalid, "serials must be a list of texts");
    auto serial = fleet::parse_serial("serials", *text);
    if (!serial) return tl::unexpected(serial.error());
    serials.push_back(std::move(*serial));
  }
  return serials;
}

}  // namespace

Expected<CsrBody> read_csr_body(std::string_view text) {
  const auto body = read_body(text, "csr why");
  if (!body) return tl::unexpected(body.error());
  auto why = read_why(*body);
  if (!why) return tl::unexpected(why.error());
  auto csr = read_csr(*body);
  if (!csr) return tl::unexpected(csr.error());
  return CsrBody{std::move(*csr), std::move(*why)};
}

Expected<std::string> read_renew_body(std::string_view text) {
  return fleet::parse_json(text).and_then(read_csr);
}

Expected<RevokeBody> read_revoke_body(std::string_view text) {
  const auto body = read_body(text, "why serials");
  if (!body) return tl::unexpected(body.error());
  auto why = read_why(*body);
  if (!why) return tl::unexpected(why.error());
  auto serials = read_serials(*body);
  if (!serials) return tl::unexpected(serials.error());
  return RevokeBody{std::move(*why), std::move(*serials)};
}

Expected<std::string> read_certificates_body(std::string_view text) {
  const auto body = fleet::parse_json(text, fleet::kLongJsonBytesMax);
  if (!body) return tl::unexpected(body.error());
  if (auto tested = fleet::require_members(*body, "certificates"); !tested)
    return tl::unexpected(tested.error());
  return fleet::required_text(*body, "certificates");
}

Expected<EnrolBody> read_enrol_body(std::string_view text) {
  const auto body = fleet::parse_json(text);
  if (!body) return tl::unexpected(body.error());
  auto device_id = read_id(*body, "device_id");
  if (!device_id) return tl::unexpected(device_id.error());
  auto model = read_optional_id(*body, "device_model");
  if (!model) return tl::unexpected(model.error());
  auto token = fleet::required_text(*body, "token");
  if (!token) return tl::unexpected(token.error());
  if (token->empty() || token->size() > fleet::kEnrolmentTokenBytesMax)
    return fleet::fail(ErrorKind::invalid,
                       "token must have 1 to " + std::to_string(fleet::kEnrolmentTokenBytesMax) + " bytes");
  auto csr = read_csr(*body);
  if (!csr) return tl::unexpected(csr.error());
  return EnrolBody{std::move(*device_id), std::move(*model), std::move(*token), std::move(*csr)};
}

Expected<fleet::NewEnrolmentToken> read_token_body(std::string_view text) {
  fleet::NewEnrolmentToken token;
  token.valid_minutes = static_cast<int>(kTokenMinutes);
  const auto body = read_body(text, "device_id device_model valid_minutes");
  if (!body) return tl::unexpected(body.error());
  auto device_id = read_optional_id(*body, "device_id");
  if (!device_id) return tl::unexpected(device_id.error());
  token.device_id = std::move(*device_id);
  auto model = read_optional_id(*body, "device_model");
  if (!model) return tl::unexpected(model.error());
  token.model = std::move(*model);
  const auto minutes = fleet::optional_integer(*body, "valid_minutes", 1, fleet::kEnrolmentTokenMinutesMax);
  if (!minutes) return tl::unexpected(minutes.error());
  token.valid_minutes = static_cast<int>(minutes->value_or(kTokenMinutes));
  return token;
}

}  // namespace ota::http
