#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "fleet/device_flow.hpp"

/// The steps that the flows of checks, reports and deadlines have in common.
namespace ota::fleet {

/// Whether the device has begun its open offer's attempt and not ended it.
[[nodiscard]] bool is_under_way(const Device& device);

/// Whether the device runs `version`, however either is written.
[[nodiscard]] bool runs(const Device& device, std::string_view version);

/// What should be retained has changed, or not: the revision rises, and the publishers know that something is
/// due.
void change_offer(DeviceWork& work, bool retained_changes);

/// The first status of the offer's attempt has come: nothing is retained for it any more.
void take_offer(DeviceWork& work);

/// When an attempt that has just entered its status times out. Only a device on MQTT is known to say hello at
/// once.
void set_due(Attempt& attempt, const Device& device, const FlowContext& context);

/// Puts `attempt` at its end, `status`.
void end_attempt(Attempt& attempt, Status status, std::optional<FailureKind> failure, std::string error,
                 Time now);

/// An attempt's begin: its event.
void record_start(DeviceWork& work, const Attempt& attempt);

/// An attempt's end: its event, and what it means for the offer it came from.
void record_end(DeviceWork& work, const Attempt& attempt, const FlowContext& context);

}  // namespace ota::fleet
