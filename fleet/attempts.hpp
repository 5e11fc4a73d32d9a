#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fleet/time.hpp"

namespace ota::fleet {

/// The seven documented statuses of an update (contract section 1), in the order an attempt passes through
/// them.
enum class Status { pending, downloading, downloaded, installing, success, failed, rolled_back };

[[nodiscard]] std::optional<Status> parse_status(std::string_view text);
[[nodiscard]] std::string_view to_string(Status status);
[[nodiscard]] constexpr bool is_final(Status status) {
  return status >= Status::success;
}

/// How an attempt went wrong. `timed_out`: silent beyond its deadline. `offline_after_install`: it installed
/// and never said hello with the new version; counts as timed out too. `withdrawn`: ended by an admin, or
/// replaced by a newer offer: nobody's fault.
enum class FailureKind { failed, timed_out, rolled_back, offline_after_install, withdrawn };
/// Those that an abort criterion may name and a retry may follow: all but `withdrawn`.
inline constexpr int kCountedFailureKinds = 4;
[[nodiscard]] std::optional<FailureKind> parse_failure_kind(std::string_view text);
[[nodiscard]] std::string_view to_string(FailureKind kind);

/// One device's try at one version: a row of device_update_status.
struct Attempt {
  std::int64_t id = 0;          ///< the public attempt_id
  std::int64_t rollout_id = 0;  ///< 0: reported without an offer of ours
  std::string version;
  Status status = Status::pending;
  int progress_percent = 0;  ///< 0..100
  std::string error;
  std::string boot_id;  ///< the device's boot when it began installing; empty when it does not send one
  Time started_at{};    ///< its first report
  Time changed_at{};    ///< when it entered `status`
  std::optional<Time> due_at;  ///< when it times out; nullopt once final
  /// Set while status is failed or rolled_back; `withdrawn` also from when a newer offer has replaced it.
  std::optional<FailureKind> failure;

  /// Whether a newer offer has come instead: nobody's failure, unless it ends by a hello after all.
  [[nodiscard]] bool is_replaced() const { return failure == FailureKind::withdrawn && !is_final(status); }
};

/// What a message does to an attempt. The table is in attempts.cpp.
enum class Step {
  move,    ///< the attempt enters the new status
  update,  ///< same status, further progress
  ignore,  ///< a repetition or something the attempt is past: recorded as heard, nothing changes
};

/// What a device's report of `reported` does to an attempt in `current`: forward only, so a late or repeated
/// report never takes anything back (contract section 4: "Results are idempotent by (attempt, transition)").
[[nodiscard]] Step on_report(Status current, Status reported);

/// How long an old version after "installing" must have lasted before it means rolled_back, for devices that
/// send no boot_id (contract section 4).
inline constexpr std::chrono::minutes kRolledBackAfter{10};

/// What a check (the hello after a boot) says about the newest attempt: `success` when the device runs the
/// attempt's version, `rolled_back` when it runs another one although it was installing and has booted since;
/// nullopt: nothing.
[[nodiscard]] std::optional<Status> on_hello(const Attempt& attempt, std::string_view running_version,
                                             std::string_view boot_id, Time now);

}  // namespace ota::fleet
