#include "http/rollout_body.hpp"

#include <algorithm>
#include <array>

#include "fleet/ids.hpp"
#include "fleet/known_names.hpp"
#include "fleet/parse_messages.hpp"
#include "fleet/strict_json.hpp"

namespace ota::http {
namespace {

using fleet::ErrorKind;
using fleet::Expected;
using fleet::JsonValue;

constexpr std::string_view kRolloutMembers =
    "name firmware_version device_model target_type target_filter rollout_percentage is_active "
    "allow_downgrade salt";
constexpr std::string_view kPatchMembers = "rollout_percentage is_active target_filter";
constexpr std::string_view kFilterMembers =
    "device_ids mac_addresses group groups exclude_device_ids metadata";

constexpr std::array<std::string_view, 4> kTargetTypes = {"all", "canary", "specific", "group"};

// Null is as good as not there.
bool is_given(const JsonValue* member) {
  return member != nullptr && !std::holds_alternative<std::nullptr_t>(member->value);
}

using ParseItem = Expected<std::string> (*)(std::string_view field, std::string_view text);

Expected<std::string> parse_group(std::string_view field, std::string_view text) {
  if (!text.empty() && text.size() <= fleet::kGroupBytesMax) return std::string(text);
  return fleet::fail(ErrorKind::invalid, std::string(field) + " must hold texts of 1 to 200 bytes");
}

// A filter's list: absent or null, or a list of texts that each pass `parse`. Answers how many.
Expected<std::size_t> test_list(const JsonValue& filter, const std::string& key, ParseItem parse) {
  const std::string field = "target_filter." + key;
  const auto* member = filter.find(key);
  if (!is_given(member)) return 0U;
  const auto* list = std::get_if<JsonValue::Array>(&member->value);
  if (list == nullptr) return fleet::fail(ErrorKind::invalid, field + " must be a list of texts");
  for (const auto& item : *list) {
    const auto* text = std::get_if<std::string>(&item.value);
    if (text == nullptr) return fleet::fail(ErrorKind::invalid, field + " must be a list of texts");
    if (const auto parsed = parse(field, *text); !parsed) return tl::unexpected(parsed.error());
  }
  return list->size();
}

Expected<void> test_specific(const JsonValue& filter) {
  const auto ids = test_list(filter, "device_ids", fleet::parse_id);
  if (!ids) return tl::unexpected(ids.error());
  const auto macs = test_list(filter, "mac_addresses", fleet::parse_mac);
  if (!macs) return tl::unexpected(macs.error());
  if (*ids + *macs > 0) return {};
  return fleet::fail(ErrorKind::invalid,
                     "target_type specific needs target_filter with device_ids and/or mac_addresses");
}

Expected<void> test_group(const JsonValue& filter) {
  const auto group = fleet::optional_text(filter, "group");
  if (!group) return tl::unexpected(group.error().with_context("target_filter"));
  const auto groups = test_list(filter, "groups", parse_group);
  if (!groups) return tl::unexpected(groups.error());
  if ((*group && !(*group)->empty()) || *groups > 0) return {};
  return fleet::fail(ErrorKind::invalid, "target_type group needs target_filter with group or groups");
}

Expected<void> test_filter(const std::string& type, const JsonValue& filter) {
  if (!std::holds_alternative<JsonValue::Object>(filter.value)) {
    return fleet::fail(ErrorKind::invalid, "target_filter must be a JSON object");
  }
  const auto excluded = test_list(filter, "exclude_device_ids", fleet::parse_id);
  if (!excluded) return tl::unexpected(excluded.error());
  const auto* metadata = filter.find("metadata");
  if (is_given(metadata) && !std::holds_alternative<JsonValue::Object>(metadata->value)) {
    return fleet::fail(ErrorKind::invalid, "target_filter.metadata must be a JSON object");
  }
  if (type == "specific") return test_specific(filter);
  if (type == "group") return test_group(filter);
  return {};
}

Expected<void> read_target(const JsonValue& body, fleet::NewRollout& rollout) {
  auto type = fleet::required_text(body, "target_type");
  if (!type) return tl::unexpected(type.error());
  if (std::find(kTargetTypes.begin(), kTargetTypes.end(), *type) == kTargetTypes.end()) {
    return fleet::fail(ErrorKind::invalid, "target_type must be one of all, canary, specific, group");
  }
  rollout.target_type = std::move(*type);
  const auto* filter = body.find("target_filter");
  const bool given = is_given(filter);
  if (auto tested = test_filter(rollout.target_type, given ? *filter : JsonValue{JsonValue::Object{}});
      !tested) {
    return tested;
  }
  if (given) rollout.target_filter_json = fleet::to_json(*filter);
  return {};
}

Expected<void> require_object(const JsonValue& body) {
  if (std::holds_alternative<JsonValue::Object>(body.value)) return {};
  return fleet::fail(ErrorKind::invalid, "the body must be a JSON object");
}

Expected<std::string> short_text(const JsonValue& body, std::string_view field, std::size_t bytes_max) {
  auto text = fleet::optional_text(body, field);
  if (!text) return tl::unexpected(text.error());
  std::string value = std::move(*text).value_or("");
  if (value.size() <= bytes_max) return value;
  return fleet::fail(ErrorKind::invalid, std::string(field) + " must be a text of at most " +
                                             std::to_string(bytes_max) + " bytes");
}

Expected<OrderBody> order_of(const JsonValue& body) {
  OrderBody order;
  auto why = read_why(body);
  if (!why) return tl::unexpected(why.error());
  order.why = std::move(*why);
  const auto acknowledge = fleet::optional_bool(body, "acknowledge");
  if (!acknowledge) return tl::unexpected(acknowledge.error());
  order.acknowledge = acknowledge->value_or(false);
  const auto device_id = fleet::optional_text(body, "device_id");
  if (!device_id) return tl::unexpected(device_id.error());
  if (*device_id) {
    auto id = fleet::parse_id("device_id", **device_id);
    if (!id) return tl::unexpected(id.error());
    order.device_id = std::move(*id);
  }
  const auto version = fleet::optional_text(body, "firmware_version");
  if (!version) return tl::unexpected(version.error());
  if (*version) {
    auto parsed = fleet::parse_version_text("firmware_version", **version);
    if (!parsed) return tl::unexpected(parsed.error());
    order.version = std::move(*parsed);
  }
  return order;
}

}  // namespace

Expected<fleet::NewRollout> read_rollout(const JsonValue& body) {
  if (auto object = require_object(body); !object) return tl::unexpected(object.error());
  if (auto policy = fleet::test_policy_members(body); !policy) return tl::unexpected(policy.error());
  fleet::NewRollout rollout;
  if (const auto name = fleet::required_text(body, "name"); !name) return tl::unexpected(name.error());
  auto name = short_text(body, "name", fleet::kRolloutNameBytesMax);
  if (!name) return tl::unexpected(name.error());
  if (name->empty()) return fleet::fail(ErrorKind::invalid, "name is empty; give the rollout a name");
  rollout.name = std::move(*name);
  const auto version = fleet::required_text(body, "firmware_version");
  if (!version) return tl::unexpected(version.error());
  auto parsed_version = fleet::parse_version_text("firmware_version", *version);
  if (!parsed_version) return tl::unexpected(parsed_version.error());
  rollout.version = std::move(*parsed_version);
  const auto model = fleet::required_text(body, "device_model");
  if (!model) return tl::unexpected(model.error());
  auto parsed_model = fleet::parse_id("device_model", *model);
  if (!parsed_model) return tl::unexpected(parsed_model.error());
  rollout.model = std::move(*parsed_model);
  if (auto target = read_target(body, rollout); !target) return tl::unexpected(target.error());
  const auto percentage = fleet::optional_integer(body, "rollout_percentage", 0, 100);
  if (!percentage) return tl::unexpected(percentage.error());
  rollout.percentage = static_cast<int>(percentage->value_or(100));
  const auto is_active = fleet::optional_bool(body, "is_active");
  if (!is_active) return tl::unexpected(is_active.error());
  rollout.is_active = is_active->value_or(true);
  const auto downgrade = fleet::optional_bool(body, "allow_downgrade");
  if (!downgrade) return tl::unexpected(downgrade.error());
  rollout.allow_downgrade = downgrade->value_or(false);
  auto salt = short_text(body, "salt", fleet::kSaltBytesMax);
  if (!salt) return tl::unexpected(salt.error());
  rollout.salt = std::move(*salt);
  auto policy = fleet::parse_policy(body);
  if (!policy) return tl::unexpected(policy.error());
  rollout.policy = std::move(*policy);
  return rollout;
}

Expected<fleet::NewRollout> read_trial(const JsonValue& body) {
  if (auto object = require_object(body); !object) return tl::unexpected(object.error());
  auto members = std::get<JsonValue::Object>(body.value);
  members.try_emplace("name", JsonValue{std::string("simulated")});
  return read_rollout({std::move(members)});
}

std::vector<std::string> unknown_in(const JsonValue& body, RolloutBody kind) {
  const auto own = kind == RolloutBody::whole ? kRolloutMembers : kPatchMembers;
  auto sentences = fleet::unknown_members(body, std::string(own).append(" ").append(fleet::kPolicyMembers));
  if (const auto* filter = body.find("target_filter")) {
    for (auto& sentence : fleet::unknown_members(*filter, kFilterMembers, "member of target_filter")) {
      sentences.push_back(std::move(sentence));
    }
  }
  return sentences;
}

std::vector<std::string> idle_in_filter(const JsonValue& body, const std::string& target_type) {
  struct Idle {
    const char* member;
    const char* used_by;
  };
  constexpr Idle kMembers[] = {
      {"device_ids", "specific"}, {"mac_addresses", "specific"}, {"group", "group"}, {"groups", "group"}};
  std::vector<std::string> sentences;
  const auto* filter = body.find("target_filter");
  if (!is_given(filter)) return sentences;
  for (const auto& [member, used_by] : kMembers) {
    if (target_type == used_by || !is_given(filter->find(member))) continue;
    sentences.push_back("target_filter." + std::string(member) + " is passed over: target_type " +
                        target_type + " does not look at it, " + used_by + " does");
  }
  return sentences;
}

bool names_percentage(const JsonValue& body) {
  return is_given(body.find("rollout_percentage"));
}

Expected<fleet::RolloutPatch> read_rollout_patch(const JsonValue& body, const fleet::RolloutRow& row) {
  if (auto object = require_object(body); !object) return tl::unexpected(object.error());
  if (auto policy = fleet::test_policy_members(body); !policy) return tl::unexpected(policy.error());
  fleet::RolloutPatch patch;
  const auto percentage = fleet::optional_integer(body, "rollout_percentage", 0, 100);
  if (!percentage) return tl::unexpected(percentage.error());
  if (*percentage) patch.percentage = static_cast<int>(**percentage);
  const auto is_active = fleet::optional_bool(body, "is_active");
  if (!is_active) return tl::unexpected(is_active.error());
  patch.is_active = *is_active;
  if (const auto* filter = body.find("target_filter"); is_given(filter)) {
    if (auto tested = test_filter(row.target_type, *filter); !tested) return tl::unexpected(tested.error());
    patch.target_filter_json = fleet::to_json(*filter);
  }
  auto policy = fleet::parse_policy(body, row.policy);
  if (!policy) return tl::unexpected(policy.error());
  if (*policy != row.policy) patch.policy = std::move(*policy);
  const auto& members = std::get<JsonValue::Object>(body.value);
  const bool names_something =
      patch.percentage || patch.is_active || patch.target_filter_json ||
      std::any_of(members.begin(), members.end(), [](const auto& member) {
        const auto& [name, value] = member;
        const bool removable = name == "start_at" || name == "end_at";
        return fleet::is_known(name, fleet::kPolicyMembers) && (removable || is_given(&value));
      });
  if (!names_something) {
    const auto unknown = unknown_in(body, RolloutBody::patch);
    return fleet::fail(ErrorKind::invalid,
                       "nothing to change: " + (unknown.empty() ? "give rollout_percentage, is_active, "
                                                                  "target_filter or a member of the policy"
                                                                : unknown.front()));
  }
  return patch;
}

Expected<JsonValue> read_body(std::string_view text, std::string_view known) {
  if (text.empty()) return JsonValue{JsonValue::Object{}};
  auto body = fleet::parse_json(text);
  if (!body) return body;
  if (auto tested = fleet::require_members(*body, known); !tested) return tl::unexpected(tested.error());
  return body;
}

Expected<std::string> read_why(const JsonValue& body) {
  return short_text(body, "why", fleet::kWhyBytesMax);
}

Expected<OrderBody> read_order(std::string_view text, std::string_view known) {
  return read_body(text, known).and_then(order_of);
}

Expected<OrderBody> read_tolerant_order(std::string_view text) {
  if (text.empty()) return OrderBody{};
  const auto body = fleet::parse_json(text);
  if (!body) return tl::unexpected(body.error());
  if (auto object = require_object(*body); !object) return tl::unexpected(object.error());
  return order_of(*body);
}

}  // namespace ota::http
