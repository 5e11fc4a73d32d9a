#include "fleet/target_filter.hpp"

#include "fleet/ids.hpp"

namespace ota::fleet {
namespace {

std::vector<std::string> strings_of(const JsonValue& filter, std::string_view key) {
  const auto* found = filter.find(key);
  return found == nullptr ? std::vector<std::string>{} : found->strings();
}

}  // namespace

std::optional<TargetType> parse_target_type(std::string_view text) {
  if (text == "all") return TargetType::all;
  if (text == "canary") return TargetType::canary;
  if (text == "specific") return TargetType::specific;
  if (text == "group") return TargetType::group;
  return std::nullopt;
}

Target read_target(TargetType type, const JsonValue& filter) {
  Target target;
  target.type = type;
  target.device_ids = strings_of(filter, "device_ids");
  for (const auto& text : strings_of(filter, "mac_addresses")) {
    target.mac_addresses.push_back(parse_mac("mac_addresses", text).value_or(text));
  }
  target.groups = strings_of(filter, "groups");
  for (auto& group : strings_of(filter, "group")) target.groups.push_back(std::move(group));
  target.exclude_device_ids = strings_of(filter, "exclude_device_ids");
  const auto* metadata = filter.find("metadata");
  const bool given = metadata != nullptr && !std::holds_alternative<std::nullptr_t>(metadata->value);
  if (given) target.metadata = *metadata;
  return target;
}

}  // namespace ota::fleet
