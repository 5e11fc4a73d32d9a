#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/attempts.hpp"
#include "fleet/expected.hpp"
#include "fleet/json_value.hpp"
#include "fleet/rollout_states.hpp"
#include "fleet/time.hpp"

namespace ota::fleet {

/// A step of a staged rollout: the rollout leaves it for the next one when its devices did well long enough.
struct Stage {
  int percentage = 100;          ///< 1..100, rising from stage to stage
  int success_percent_min = 95;  ///< of the attempts started in this rollout
  int finished_min = 1;          ///< finished attempts needed; bounded by the devices the stage has
  int soak_minutes = 0;          ///< least stay in the stage
  [[nodiscard]] bool operator==(const Stage&) const = default;
};

/// When too many finished attempts are failures of that kind. Strictly greater: 20 % of 10 trips at the
/// third.
struct AbortCriterion {
  std::optional<FailureKind> failure;  ///< nullopt: any
  int percent_max = 10;
  int finished_min = 10;
  RolloutCommand action = RolloutCommand::pause;  ///< pause | abort | roll_back
  [[nodiscard]] bool operator==(const AbortCriterion&) const = default;
};

/// A maintenance window in a place's own time: outside of all windows nothing new is offered.
struct Window {
  std::array<bool, 7> weekdays{};  ///< Monday first: the days on which it begins
  int start_minute = 0;            ///< 0..1439, local time
  int minutes = 60;                ///< 1..1440 of elapsed time, whatever the clocks do meanwhile
  std::string time_zone;           ///< IANA name
  [[nodiscard]] bool operator==(const Window&) const = default;
};

/// How many devices may begin. 0 limits nothing.
struct PushRate {
  int per_minute_max = 0;  ///< new offers in any minute
  int in_flight_max = 0;   ///< attempts under way, and offers of the last minute that nobody has taken yet
  [[nodiscard]] bool is_limited() const { return per_minute_max > 0 || in_flight_max > 0; }
  [[nodiscard]] bool operator==(const PushRate&) const = default;
};

/// How a rollout is to be led. The defaults are what a rollout without a word about it gets.
struct RolloutPolicy {
  std::vector<Stage> stages;
  std::vector<AbortCriterion> abort_criteria = {AbortCriterion{}};
  PushRate rate;
  int start_within_seconds =
      0;  ///< told with the offer: the client waits a random part of it before it begins
  std::optional<Time> start_at;
  std::optional<Time> end_at;
  RolloutCommand end_action = RolloutCommand::finish;  ///< finish | abort
  std::vector<Window> windows;
  int attempt_minutes_max = 24 * 60;  ///< from an attempt's first report to its end
  int confirm_minutes = 15;           ///< from installing to the hello, for devices seen on MQTT
  std::array<int, kCountedFailureKinds> retries = {2, 2, 2,
                                                   2};  ///< further tries after a failure of that kind
  int retry_pause_minutes = 5;                          ///< before the first; doubles with each
  [[nodiscard]] bool operator==(const RolloutPolicy&) const = default;

  /// The pause after the `failed_attempts`th failure, at most a day.
  [[nodiscard]] std::chrono::minutes pause_after(int failed_attempts) const;
};

/// The members of a policy (fleet/known_names.hpp).
inline constexpr std::string_view kPolicyMembers =
    "stages abort_criteria rate start_within_seconds start_at end_at end_action windows attempt_minutes_max "
    "confirm_minutes retries retry_pause_minutes";

/// `base` with the members of `body` that are there. `invalid` errors name the field. Members that nobody
/// knows are passed over: an older service reads what a newer one has stored. Whether a time zone exists is
/// for the caller to test: the domain has no zone database.
[[nodiscard]] Expected<RolloutPolicy> parse_policy(const JsonValue& body, const RolloutPolicy& base = {});

/// `invalid` when a stage, a criterion or another object of the policy in `body` has a member that nobody
/// knows: for texts of people, who would find it without effect.
[[nodiscard]] Expected<void> test_policy_members(const JsonValue& body);

/// Those members where they differ from the defaults; parse_policy makes the same of it again.
[[nodiscard]] JsonValue policy_json(const RolloutPolicy& policy);

/// When it was `minute` of the day that lies `days_back` before today in that zone, and that day's weekday
/// (0: Monday). A local time that a clock change skips is the moment of the change; of one that comes twice,
/// the first. nullopt for an unknown zone. A port; thread safe.
struct LocalMoment {
  Time at{};
  int weekday = 0;
};
using LocalClock = std::optional<LocalMoment> (*)(const std::string& time_zone, Time now, int days_back,
                                                  int minute);

/// Whether `now` lies in one of `windows`; true when there are none. A window in an unknown zone is closed.
[[nodiscard]] bool is_open(const std::vector<Window>& windows, Time now, LocalClock local_clock);

}  // namespace ota::fleet
