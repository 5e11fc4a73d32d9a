#include "http/device_admin_body.hpp"

#include "fleet/ids.hpp"
#include "fleet/known_names.hpp"
#include "fleet/parse_messages.hpp"
#include "http/params.hpp"
#include "http/rollout_body.hpp"

namespace ota::http {
namespace {

using fleet::ErrorKind;
using fleet::Expected;
using fleet::JsonValue;

Expected<std::string> parse_group(std::string_view field, std::string_view text) {
  const bool has_nul = text.find('\0') != std::string_view::npos;
  if (!text.empty() && text.size() <= fleet::kGroupBytesMax && is_utf8(text) && !has_nul)
    return std::string(text);
  return fleet::fail(ErrorKind::invalid,
                     std::string(field) + " must be a text of 1 to 200 bytes without NUL");
}

// Null is as good as not given.
const JsonValue* given(const JsonValue& body, std::string_view field) {
  const auto* member = body.find(field);
  return member == nullptr || std::holds_alternative<std::nullptr_t>(member->value) ? nullptr : member;
}

using ParseItem = Expected<std::string> (*)(std::string_view field, std::string_view text);

// The optional list `field` of texts that each pass `parse`.
Expected<std::vector<std::string>> read_texts(const JsonValue& body, const std::string& field,
                                              std::size_t count_max, ParseItem parse) {
  std::vector<std::string> texts;
  const auto* member = given(body, field);
  if (member == nullptr) return texts;
  const auto* list = std::get_if<JsonValue::Array>(&member->value);
  if (list == nullptr || list->size() > count_max) {
    return fleet::fail(ErrorKind::invalid,
                       field + " must be a list of at most " + std::to_string(count_max) + " texts");
  }
  for (const auto& item : *list) {
    const auto* text = std::get_if<std::string>(&item.value);
    if (text == nullptr) return fleet::fail(ErrorKind::invalid, field + " must be a list of texts");
    auto parsed = parse(field, *text);
    if (!parsed) return tl::unexpected(parsed.error());
    texts.push_back(std::move(*parsed));
  }
  return texts;
}

// A text that null or the empty text removes; nullopt when the body does not name it.
Expected<std::optional<std::string>> read_removable(const JsonValue& body, std::string_view field,
                                                    ParseItem parse) {
  if (body.find(field) == nullptr) return std::nullopt;
  const auto text = fleet::optional_text(body, field);
  if (!text) return tl::unexpected(text.error());
  if (!*text || (*text)->empty()) return std::string();
  auto parsed = parse(field, **text);
  if (!parsed) return tl::unexpected(parsed.error());
  return std::move(*parsed);
}

}  // namespace

Expected<fleet::DevicePatch> read_device_patch(const JsonValue& body) {
  if (auto known = fleet::require_members(body, "groups metadata mac pinned_version hold"); !known)
    return tl::unexpected(known.error());
  fleet::DevicePatch patch;
  if (given(body, "groups") != nullptr) {
    auto groups = read_texts(body, "groups", fleet::kGroupsMax, parse_group);
    if (!groups) return tl::unexpected(groups.error());
    patch.groups = std::move(*groups);
  }
  if (const auto* metadata = given(body, "metadata")) {
    if (!std::holds_alternative<JsonValue::Object>(metadata->value)) {
      return fleet::fail(ErrorKind::invalid, "metadata must be a JSON object");
    }
    patch.metadata = *metadata;
  }
  auto mac = read_removable(body, "mac", fleet::parse_mac);
  if (!mac) return tl::unexpected(mac.error());
  patch.mac = std::move(*mac);
  auto pinned = read_removable(body, "pinned_version", fleet::parse_version_text);
  if (!pinned) return tl::unexpected(pinned.error());
  patch.pinned_version = std::move(*pinned);
  const auto hold = fleet::optional_bool(body, "hold");
  if (!hold) return tl::unexpected(hold.error());
  patch.hold = *hold;
  if (!patch.groups && !patch.metadata && !patch.mac && !patch.pinned_version && !patch.hold) {
    return fleet::fail(ErrorKind::invalid,
                       "nothing to change: give groups, metadata, mac, pinned_version and/or hold");
  }
  return patch;
}

Expected<fleet::GroupChange> read_group_change(std::string_view group, const JsonValue& body) {
  if (auto known = fleet::require_members(body, "add remove"); !known) return tl::unexpected(known.error());
  fleet::GroupChange change;
  auto name = parse_group("the group's name", group);
  if (!name) return tl::unexpected(name.error());
  change.group = std::move(*name);
  auto add = read_texts(body, "add", fleet::kGroupDevicesMax, fleet::parse_id);
  if (!add) return tl::unexpected(add.error());
  change.add = std::move(*add);
  auto remove = read_texts(body, "remove", fleet::kGroupDevicesMax, fleet::parse_id);
  if (!remove) return tl::unexpected(remove.error());
  change.remove = std::move(*remove);
  if (change.add.empty() && change.remove.empty()) {
    return fleet::fail(ErrorKind::invalid, "nothing to change: give device ids in add and/or remove");
  }
  return change;
}

}  // namespace ota::http
