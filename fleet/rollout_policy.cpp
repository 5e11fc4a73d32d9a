#include "fleet/rollout_policy.hpp"

#include <algorithm>
#include <string_view>

#include "fleet/iso_time.hpp"
#include "fleet/known_names.hpp"
#include "fleet/parse_messages.hpp"

namespace ota::fleet {
namespace {

constexpr int kCountMax = 10'000'000;
constexpr int kYearMinutes = 366 * 24 * 60;
constexpr std::array<std::string_view, 7> kWeekdays = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

tl::unexpected<Error> wrong(std::string message) {
  return fail(ErrorKind::invalid, std::move(message));
}

// What the objects of a policy may hold, those in lists and those alone.
struct ObjectMembers {
  std::string_view field;
  std::string_view known;
};
constexpr ObjectMembers kObjects[] = {
    {"stages", "percentage success_percent_min finished_min soak_minutes"},
    {"abort_criteria", "failure percent_max finished_min action"},
    {"windows", "weekdays start minutes time_zone"},
    {"rate", "per_minute_max in_flight_max"},
    {"retries", "failed timed_out rolled_back offline_after_install"},
};

Expected<void> test_members(const JsonValue& object, const std::string& name, std::string_view known) {
  auto sentences = unknown_members(object, known, "member of " + name);
  if (sentences.empty()) return {};
  return wrong(std::move(sentences.front()));
}

bool is_given(const JsonValue* member) {
  return member != nullptr && !std::holds_alternative<std::nullptr_t>(member->value);
}

// Reads the optional whole number `field` of `body` into `value`.
Expected<void> read_number(const JsonValue& body, std::string_view field, int least, int most, int& value) {
  const auto number = optional_integer(body, field, least, most);
  if (!number) return tl::unexpected(number.error());
  if (*number) value = static_cast<int>(**number);
  return {};
}

struct NumberField {
  std::string_view name;
  int least;
  int most;
  int* value;
};

Expected<void> read_numbers(const JsonValue& body, const std::vector<NumberField>& fields) {
  for (const auto& field : fields) {
    if (auto read = read_number(body, field.name, field.least, field.most, *field.value); !read) return read;
  }
  return {};
}

// The objects of the list `field`; `read` makes one item of each. Errors name the item, as in "stages[1]".
template <class Item>
Expected<void> read_list(const JsonValue& body, const std::string& field, std::size_t count_max,
                         Expected<Item> (*read)(const JsonValue& item), std::vector<Item>& items) {
  const auto* member = body.find(field);
  if (!is_given(member)) return {};
  const auto* list = std::get_if<JsonValue::Array>(&member->value);
  if (list == nullptr) return wrong(field + " must be a list of objects");
  if (list->size() > count_max) {
    return wrong(field + " must have at most " + std::to_string(count_max) + " items");
  }
  items.clear();
  for (const auto& element : *list) {
    const std::string name = field + "[" + std::to_string(items.size()) + "]";
    if (!std::holds_alternative<JsonValue::Object>(element.value)) return wrong(name + " must be an object");
    auto item = read(element);
    if (!item) return tl::unexpected(item.error().with_context(name));
    items.push_back(std::move(*item));
  }
  return {};
}

Expected<Stage> read_stage(const JsonValue& item) {
  Stage stage;
  if (!is_given(item.find("percentage"))) return wrong("percentage is required, from 1 to 100");
  auto read = read_numbers(item, {{"percentage", 1, 100, &stage.percentage},
                                  {"success_percent_min", 0, 100, &stage.success_percent_min},
                                  {"finished_min", 0, kCountMax, &stage.finished_min},
                                  {"soak_minutes", 0, kYearMinutes, &stage.soak_minutes}});
  if (!read) return tl::unexpected(read.error());
  return stage;
}

Expected<RolloutCommand> read_action(const JsonValue& item, std::string_view field,
                                     std::initializer_list<RolloutCommand> allowed, RolloutCommand fallback) {
  const auto text = optional_text(item, field);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return fallback;
  std::string names;
  for (const auto command : allowed) {
    if (**text == to_string(command)) return command;
    names.append(names.empty() ? "" : ", ").append(to_string(command));
  }
  return wrong(std::string(field) + " must be one of " + names);
}

Expected<AbortCriterion> read_criterion(const JsonValue& item) {
  AbortCriterion criterion;
  const auto failure = required_text(item, "failure");
  if (!failure) return tl::unexpected(failure.error());
  if (*failure != "any") {
    criterion.failure = parse_failure_kind(*failure);
    if (!criterion.failure || *criterion.failure == FailureKind::withdrawn) {
      return wrong("failure must be one of failed, timed_out, rolled_back, offline_after_install, any");
    }
  }
  auto read = read_numbers(item, {{"percent_max", 0, 100, &criterion.percent_max},
                                  {"finished_min", 1, kCountMax, &criterion.finished_min}});
  if (!read) return tl::unexpected(read.error());
  const auto action =
      read_action(item, "action", {RolloutCommand::pause, RolloutCommand::abort, RolloutCommand::roll_back},
                  RolloutCommand::pause);
  if (!action) return tl::unexpected(action.error());
  criterion.action = *action;
  return criterion;
}

Expected<int> read_clock(const JsonValue& item) {
  const auto text = required_text(item, "start");
  if (!text) return tl::unexpected(text.error());
  const auto digit = [&](std::size_t at) { return (*text)[at] - '0'; };
  const bool shaped = text->size() == 5 && (*text)[2] == ':' &&
                      text->find_first_not_of("0123456789:") == std::string::npos &&
                      std::count(text->begin(), text->end(), ':') == 1;
  const int hour = shaped ? digit(0) * 10 + digit(1) : 24;
  const int minute = shaped ? digit(3) * 10 + digit(4) : 60;
  if (hour < 24 && minute < 60) return hour * 60 + minute;
  return wrong("start must be a local time like 22:30");
}

Expected<Window> read_window(const JsonValue& item) {
  Window window;
  const auto* weekdays = item.find("weekdays");
  if (!is_given(weekdays)) {
    window.weekdays.fill(true);
  } else if (!std::holds_alternative<JsonValue::Array>(weekdays->value)) {
    return wrong("weekdays must be a list of mon, tue, wed, thu, fri, sat, sun");
  } else {
    const auto& list = std::get<JsonValue::Array>(weekdays->value);
    for (const auto& day : list) {
      const auto* name = std::get_if<std::string>(&day.value);
      const auto* const at =
          name == nullptr ? kWeekdays.end() : std::find(kWeekdays.begin(), kWeekdays.end(), *name);
      if (at == kWeekdays.end()) return wrong("weekdays must be a list of mon, tue, wed, thu, fri, sat, sun");
      window.weekdays[static_cast<std::size_t>(at - kWeekdays.begin())] = true;
    }
    if (list.empty()) return wrong("weekdays is empty; leave it out for every day");
  }
  const auto start = read_clock(item);
  if (!start) return tl::unexpected(start.error());
  window.start_minute = *start;
  if (!is_given(item.find("minutes"))) return wrong("minutes is required, from 1 to 1440");
  if (auto read = read_number(item, "minutes", 1, 1440, window.minutes); !read)
    return tl::unexpected(read.error());
  auto zone = required_text(item, "time_zone");
  if (!zone)
    return tl::unexpected(zone.error().with_context("a window needs its IANA time zone, like Europe/Berlin"));
  if (zone->empty() || zone->size() > 64) return wrong("time_zone must be an IANA name like Europe/Berlin");
  window.time_zone = std::move(*zone);
  return window;
}

Expected<void> read_moment(const JsonValue& body, std::string_view field, std::optional<Time>& value) {
  const auto* member = body.find(field);
  if (member == nullptr) return {};
  if (!is_given(member)) {
    value.reset();
    return {};
  }
  const auto* text = std::get_if<std::string>(&member->value);
  value = text == nullptr ? std::nullopt : parse_iso_time(*text);
  if (value) return {};
  return wrong(std::string(field) + " must be an ISO 8601 time with offset, like 2030-01-31T08:00:00+01:00");
}

Expected<void> read_object(const JsonValue& body, std::string_view field, const JsonValue*& object) {
  object = body.find(field);
  if (!is_given(object)) {
    object = nullptr;
    return {};
  }
  if (std::holds_alternative<JsonValue::Object>(object->value)) return {};
  return wrong(std::string(field) + " must be an object");
}

Expected<void> read_rate(const JsonValue& body, PushRate& rate) {
  const JsonValue* object = nullptr;
  if (auto read = read_object(body, "rate", object); !read || object == nullptr) return read;
  rate = {};
  auto read = read_numbers(*object, {{"per_minute_max", 0, kCountMax, &rate.per_minute_max},
                                     {"in_flight_max", 0, kCountMax, &rate.in_flight_max}});
  return read ? read : tl::unexpected(read.error().with_context("rate"));
}

Expected<void> read_retries(const JsonValue& body, RolloutPolicy& policy) {
  const JsonValue* object = nullptr;
  if (auto read = read_object(body, "retries", object); !read || object == nullptr) return read;
  for (int kind = 0; kind < kCountedFailureKinds; ++kind) {
    auto& value = policy.retries[static_cast<std::size_t>(kind)];
    if (auto read = read_number(*object, to_string(static_cast<FailureKind>(kind)), 0, 100, value); !read) {
      return tl::unexpected(read.error().with_context("retries"));
    }
  }
  return {};
}

Expected<void> test_whole(const RolloutPolicy& policy) {
  for (std::size_t i = 1; i < policy.stages.size(); ++i) {
    if (policy.stages[i].percentage <= policy.stages[i - 1].percentage) {
      return wrong("stages[" + std::to_string(i) + "].percentage must be above the stage before, which has " +
                   std::to_string(policy.stages[i - 1].percentage));
    }
  }
  if (policy.start_at && policy.end_at && *policy.end_at <= *policy.start_at) {
    return wrong("end_at must be after start_at");
  }
  return {};
}

JsonValue number(int value) {
  return {std::int64_t{value}};
}

JsonValue text(std::string_view value) {
  return {std::string(value)};
}

JsonValue stages_json(const std::vector<Stage>& stages) {
  JsonValue::Array list;
  for (const auto& stage : stages) {
    list.push_back({JsonValue::Object{{"percentage", number(stage.percentage)},
                                      {"success_percent_min", number(stage.success_percent_min)},
                                      {"finished_min", number(stage.finished_min)},
                                      {"soak_minutes", number(stage.soak_minutes)}}});
  }
  return {std::move(list)};
}

JsonValue criteria_json(const std::vector<AbortCriterion>& criteria) {
  JsonValue::Array list;
  for (const auto& criterion : criteria) {
    list.push_back({JsonValue::Object{
        {"failure", text(criterion.failure ? to_string(*criterion.failure) : std::string_view("any"))},
        {"percent_max", number(criterion.percent_max)},
        {"finished_min", number(criterion.finished_min)},
        {"action", text(to_string(criterion.action))}}});
  }
  return {std::move(list)};
}

std::string clock_text(int minute) {
  const auto two = [](int value) { return (value < 10 ? "0" : "") + std::to_string(value); };
  return two(minute / 60) + ":" + two(minute % 60);
}

JsonValue windows_json(const std::vector<Window>& windows) {
  JsonValue::Array list;
  for (const auto& window : windows) {
    JsonValue::Array weekdays;
    for (std::size_t day = 0; day < kWeekdays.size(); ++day) {
      if (window.weekdays[day]) weekdays.push_back(text(kWeekdays[day]));
    }
    list.push_back({JsonValue::Object{{"weekdays", {std::move(weekdays)}},
                                      {"start", {clock_text(window.start_minute)}},
                                      {"minutes", number(window.minutes)},
                                      {"time_zone", {window.time_zone}}}});
  }
  return {std::move(list)};
}

JsonValue retries_json(const RolloutPolicy& policy) {
  JsonValue::Object object;
  for (int kind = 0; kind < kCountedFailureKinds; ++kind) {
    object.emplace(to_string(static_cast<FailureKind>(kind)),
                   number(policy.retries[static_cast<std::size_t>(kind)]));
  }
  return {std::move(object)};
}

}  // namespace

std::chrono::minutes RolloutPolicy::pause_after(int failed_attempts) const {
  constexpr std::int64_t kPauseMaxMinutes = 24 * 60;
  const int doublings = std::clamp(failed_attempts - 1, 0, 16);
  return std::chrono::minutes(std::min(std::int64_t{retry_pause_minutes} << doublings, kPauseMaxMinutes));
}

Expected<RolloutPolicy> parse_policy(const JsonValue& body, const RolloutPolicy& base) {
  RolloutPolicy policy = base;
  const auto end_action =
      read_action(body, "end_action", {RolloutCommand::finish, RolloutCommand::abort}, base.end_action);
  if (!end_action) return tl::unexpected(end_action.error());
  policy.end_action = *end_action;
  auto read =
      read_list(body, "stages", kStagesMax, &read_stage, policy.stages)
          .and_then([&] {
            return read_list(body, "abort_criteria", kCriteriaMax, &read_criterion, policy.abort_criteria);
          })
          .and_then([&] { return read_list(body, "windows", kWindowsMax, &read_window, policy.windows); })
          .and_then([&] { return read_rate(body, policy.rate); })
          .and_then([&] { return read_moment(body, "start_at", policy.start_at); })
          .and_then([&] { return read_moment(body, "end_at", policy.end_at); })
          .and_then([&] { return read_retries(body, policy); })
          .and_then([&] {
            return read_numbers(body, {{"start_within_seconds", 0, 86400, &policy.start_within_seconds},
                                       {"attempt_minutes_max", 1, kYearMinutes, &policy.attempt_minutes_max},
                                       {"confirm_minutes", 1, kYearMinutes, &policy.confirm_minutes},
                                       {"retry_pause_minutes", 0, 1440, &policy.retry_pause_minutes}});
          })
          .and_then([&] { return test_whole(policy); });
  if (!read) return tl::unexpected(read.error());
  return policy;
}

Expected<void> test_policy_members(const JsonValue& body) {
  for (const auto& [field, known] : kObjects) {
    const auto* member = body.find(field);
    if (member == nullptr) continue;
    if (auto tested = test_members(*member, std::string(field), known); !tested) return tested;
    const auto* list = std::get_if<JsonValue::Array>(&member->value);
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
      const auto name = std::string(field) + "[" + std::to_string(i) + "]";
      if (auto tested = test_members((*list)[i], name, known); !tested) return tested;
    }
  }
  return {};
}

JsonValue policy_json(const RolloutPolicy& policy) {
  static const RolloutPolicy kDefault;
  JsonValue::Object object;
  const auto keep = [&](std::string_view name, bool differs, JsonValue value) {
    if (differs) object.emplace(name, std::move(value));
  };
  const auto keep_number = [&](std::string_view name, int value, int usual) {
    keep(name, value != usual, number(value));
  };
  keep("stages", policy.stages != kDefault.stages, stages_json(policy.stages));
  keep("abort_criteria", policy.abort_criteria != kDefault.abort_criteria,
       criteria_json(policy.abort_criteria));
  keep("windows", policy.windows != kDefault.windows, windows_json(policy.windows));
  keep("rate", policy.rate != kDefault.rate,
       {JsonValue::Object{{"per_minute_max", number(policy.rate.per_minute_max)},
                          {"in_flight_max", number(policy.rate.in_flight_max)}}});
  if (policy.start_at) object.emplace("start_at", JsonValue{to_iso(*policy.start_at)});
  if (policy.end_at) object.emplace("end_at", JsonValue{to_iso(*policy.end_at)});
  keep("end_action", policy.end_action != kDefault.end_action, text(to_string(policy.end_action)));
  keep("retries", policy.retries != kDefault.retries, retries_json(policy));
  keep_number("start_within_seconds", policy.start_within_seconds, kDefault.start_within_seconds);
  keep_number("attempt_minutes_max", policy.attempt_minutes_max, kDefault.attempt_minutes_max);
  keep_number("confirm_minutes", policy.confirm_minutes, kDefault.confirm_minutes);
  keep_number("retry_pause_minutes", policy.retry_pause_minutes, kDefault.retry_pause_minutes);
  return {std::move(object)};
}

bool is_open(const std::vector<Window>& windows, Time now, LocalClock local_clock) {
  const auto contains = [&](const Window& window, int days_back) {
    const auto start = local_clock(window.time_zone, now, days_back, window.start_minute);
    if (!start || !window.weekdays[static_cast<std::size_t>(start->weekday)]) return false;
    return start->at <= now && now < start->at + std::chrono::minutes(window.minutes);
  };
  return windows.empty() || std::any_of(windows.begin(), windows.end(), [&](const Window& window) {
           // A day may last 25 hours, so a window of yesterday's evening may still be open.
           return contains(window, 0) || contains(window, 1);
         });
}

}  // namespace ota::fleet
