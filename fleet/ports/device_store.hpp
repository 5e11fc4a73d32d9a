#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fleet/device.hpp"
#include "fleet/expected.hpp"

namespace ota::fleet {

/// A try of a device at a version, as admins see it. Times are ISO 8601 with offset; empty for NULL.
struct AttemptRow {
  std::int64_t attempt_id = 0;  ///< 0: a row of the earlier service
  std::int64_t rollout_id = 0;  ///< 0: reported without an offer
  std::string version;
  std::string status;
  std::string failure;  ///< empty: none
  std::string error;
  int progress_percent = 0;
  std::string started_at;
  std::string completed_at;
  std::string reported_at;
};

/// A device with all that is stored of it.
struct DeviceDetails {
  Device device;
  bool online = false;
  std::string last_seen;
  std::string created_at;
  std::vector<AttemptRow> attempts;  ///< newest first, at most the 50 last
};

/// What an admin changes of a device; what is not given stays.
struct DevicePatch {
  std::optional<std::vector<std::string>> groups;  ///< replaces them
  std::optional<JsonValue>
      metadata;  ///< an object merged key by key, null removes; never `reported` or `groups`
  std::optional<std::string> mac;             ///< canonical; empty removes it
  std::optional<std::string> pinned_version;  ///< empty unpins
  std::optional<bool> hold;
  std::string by;
};

struct GroupChange {
  std::string group;
  std::vector<std::string> add;
  std::vector<std::string> remove;
  std::string by;
};

struct GroupOutcome {
  std::vector<std::string> changed;  ///< ids of devices whose groups are different now
  std::vector<std::string> unknown;  ///< ids nobody knows
};

/// Devices, for admins. Thread safe; `unavailable` when the database is away or no connection came free in
/// time.
class DeviceStore {
 public:
  virtual ~DeviceStore() = default;
  [[nodiscard]] virtual Expected<DeviceDetails> find_device(const std::string& device_id) = 0;
  /// `not_found`; `conflict` when another device has the mac. Writes a device_updated event.
  [[nodiscard]] virtual Expected<void> patch_device(const std::string& device_id,
                                                    const DevicePatch& patch) = 0;
  /// Removes the device, its offer and its token, revokes its certificates, keeps its history; writes a
  /// device_deleted event. `not_found`.
  [[nodiscard]] virtual Expected<void> delete_device(const std::string& device_id, const std::string& by) = 0;
  [[nodiscard]] virtual Expected<GroupOutcome> change_group(const GroupChange& change) = 0;

  /// Up to `count_max` devices of `model` with an id above `after`, in byte order of the ids, with offer and
  /// attempt; not locked.
  [[nodiscard]] virtual Expected<std::vector<Device>> page_of_devices(const std::string& model,
                                                                      const std::string& after,
                                                                      int count_max) = 0;
  /// How many devices of the model run each version (the empty text: not known).
  [[nodiscard]] virtual Expected<std::map<std::string, std::int64_t>> running_versions(
      const std::string& model) = 0;
};

}  // namespace ota::fleet
