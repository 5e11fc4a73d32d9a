#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fleet/attempts.hpp"
#include "fleet/json_value.hpp"

namespace ota::fleet {

/// What should stand for a device: a row of `offers`, the truth about the broker's retained offer and about
/// which attempt the device's reports belong to.
struct Offer {
  std::int64_t attempt_id = 0;
  std::int64_t rollout_id = 0;
  std::int64_t release_id = 0;
  std::string version;  ///< the release's
  std::string from_version;
  bool open = true;            ///< false once taken to its end, withdrawn or superseded by "no update"
  bool taken = false;          ///< its first status is committed: nothing is retained for it any more
  std::string origin_version;  ///< what it ran when this rollout first reached it
  Time offered_at{};
  int failed_attempts = 0;                  ///< how often this device failed in this rollout
  std::optional<FailureKind> last_failure;  ///< of the last of them
  std::optional<Time> retry_at;             ///< nothing is offered again before; the device is then looked at
  std::int64_t wanted_revision = 0;         ///< rises with each change of what should be retained
  std::int64_t published_revision = 0;      ///< the last one the broker acknowledged

  /// Whether a retained offer should stand on the broker (given the device has been seen there).
  [[nodiscard]] bool is_standing() const { return open && !taken; }
};

/// All that is known of one device while a batch works on it. Loaded once per batch, changed by the flows,
/// saved once: messages of one device in one batch see each other's effects.
struct Device {
  std::string id;
  std::string model;    ///< "unknown" until a check named it
  std::string version;  ///< current_firmware_version; empty until known
  std::string mac;      ///< as stored; empty when none
  std::string boot_id;
  bool on_mqtt = false;        ///< has been seen on MQTT, so offers are pushed to it
  std::string pinned_version;  ///< set: only rollouts of that version reach it
  bool hold = false;           ///< an admin lets nothing be offered to it
  bool revoked = false;  ///< its identity was taken back: nothing of it counts, nothing is offered to it
  JsonValue metadata;    ///< admins' groups and keys; `reported` holds what the device says of itself
  std::optional<Offer> offer;
  std::optional<Attempt> attempt;  ///< the offer's attempt, once reported
  /// The newest open attempt besides: a newer offer has replaced it, or the device began it by itself.
  std::optional<Attempt> other_attempt;

  [[nodiscard]] std::vector<std::string> groups() const {
    const auto* groups = metadata.find("groups");
    return groups == nullptr ? std::vector<std::string>{} : groups->strings();
  }
};

}  // namespace ota::fleet
