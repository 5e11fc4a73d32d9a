#include "fleet/attempts.hpp"

#include <array>

#include "fleet/version.hpp"

namespace ota::fleet {
namespace {

constexpr std::array<std::string_view, 7> kNames = {"pending", "downloading", "downloaded", "installing",
                                                    "success", "failed",      "rolled_back"};

constexpr std::array<std::string_view, 5> kFailureNames = {"failed", "timed_out", "rolled_back",
                                                           "offline_after_install", "withdrawn"};

constexpr auto M = Step::move;
constexpr auto U = Step::update;
constexpr auto X = Step::ignore;

// Row: where the attempt stands. Column: what the device reports.
constexpr Step kTransitions[7][7] = {
    // pending  downl.  downd.  instal. success failed  rolled_back
    {U, M, M, M, M, M, M},  // pending
    {X, U, M, M, M, M, M},  // downloading
    {X, X, U, M, M, M, M},  // downloaded
    {X, X, X, U, M, M, M},  // installing
    {X, X, X, X, X, X, X},  // success
    {X, X, X, X, X, X, X},  // failed: only a hello of the new version still completes it
    {X, X, X, X, X, X, X},  // rolled_back
};

}  // namespace

std::optional<Status> parse_status(std::string_view text) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == text) return static_cast<Status>(i);
  }
  return std::nullopt;
}

std::string_view to_string(Status status) {
  return kNames[static_cast<std::size_t>(status)];
}

std::optional<FailureKind> parse_failure_kind(std::string_view text) {
  for (std::size_t i = 0; i < kFailureNames.size(); ++i) {
    if (kFailureNames[i] == text) return static_cast<FailureKind>(i);
  }
  return std::nullopt;
}

std::string_view to_string(FailureKind kind) {
  return kFailureNames[static_cast<std::size_t>(kind)];
}

Step on_report(Status current, Status reported) {
  return kTransitions[static_cast<std::size_t>(current)][static_cast<std::size_t>(reported)];
}

std::optional<Status> on_hello(const Attempt& attempt, std::string_view running_version,
                               std::string_view boot_id, Time now) {
  if (compare_versions(running_version, attempt.version) == Order::same) {
    const bool completes = !is_final(attempt.status) || attempt.status == Status::failed;
    return completes ? std::optional(Status::success) : std::nullopt;
  }
  if (attempt.status != Status::installing) return std::nullopt;
  const bool boot_ids_known = !boot_id.empty() && !attempt.boot_id.empty();
  const bool booted_since =
      boot_ids_known ? boot_id != attempt.boot_id : now - attempt.changed_at >= kRolledBackAfter;
  return booted_since ? std::optional(Status::rolled_back) : std::nullopt;
}

}  // namespace ota::fleet
