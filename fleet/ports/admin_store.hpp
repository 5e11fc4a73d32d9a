#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fleet/attempts.hpp"
#include "fleet/catalog.hpp"
#include "fleet/expected.hpp"
#include "fleet/time.hpp"

namespace ota::fleet {

struct NewRelease {
  std::string version;
  std::string model;
  std::string min_version;  ///< empty: none
  std::string file_path;    ///< relative to the storage folder
  std::int64_t size_bytes = 0;
  std::string sha256;
  std::string changelog;
  std::string notes;
  bool is_signed = false;
  std::string by;
};

struct ReleaseRow {
  std::string version;
  std::string model;
  std::string file_path;
  std::int64_t size_bytes = 0;
  std::string sha256;
  bool is_signed = false;
  std::string created_at;  ///< ISO 8601 with offset, as every time in these rows; empty for NULL
  std::string notes;
};

struct NewRollout {
  std::string name;
  std::string version;
  std::string model;
  std::string target_type;         ///< all | canary | specific | group
  std::string target_filter_json;  ///< a JSON object; empty: none
  int percentage = 100;
  bool is_active = true;
  bool allow_downgrade = false;
  std::string salt;
  std::string by;
};

struct RolloutPatch {
  std::optional<int> percentage;
  std::optional<bool> is_active;
  std::string by;
};

struct DeviceRow {
  std::string device_id;
  std::string model;
  std::string version;
  std::string last_seen;
  std::string created_at;
};

struct UpdateRow {
  std::string device_id;
  std::string version;
  std::string status;
  std::string error;
  std::optional<int> progress_percent;
  std::string started_at;
  std::string completed_at;
  std::string reported_at;
};

/// The figures of GET /metrics and of fleet/summary.
struct FleetSummary {
  std::int64_t total_devices = 0;
  std::int64_t devices_online = 0;
  std::map<std::string, std::int64_t> devices_by_model;
  std::map<std::string, std::int64_t> recent_updates_24h;
  std::int64_t active_rollouts = 0;
};

/// What admins and monitors ask for. Thread safe: implementations draw on a small pool of connections;
/// `unavailable` when the database is away or no connection came free in time.
class ReleaseStore {
 public:
  virtual ~ReleaseStore() = default;
  /// Adds the row and its firmware_uploaded event. Answers false when the same version with the same hash is
  /// already there; `conflict` when it is there with other bytes.
  [[nodiscard]] virtual Expected<bool> add_release(const NewRelease& release) = 0;
  /// Newest first; empty `model`: all models.
  [[nodiscard]] virtual Expected<std::vector<ReleaseRow>> list_releases(const std::string& model,
                                                                        int count_max) = 0;
  /// All releases with that version that are not withdrawn, at most one per model; empty `model`: all models.
  [[nodiscard]] virtual Expected<std::vector<ReleaseRow>> find_releases(const std::string& version,
                                                                        const std::string& model) = 0;
};

class RolloutStore {
 public:
  virtual ~RolloutStore() = default;
  /// The new id. `invalid` when no such release exists for the model, `conflict` when the name is taken.
  [[nodiscard]] virtual Expected<std::int64_t> create_rollout(const NewRollout& rollout) = 0;
  /// `not_found` for an unknown id, `conflict` for an ended one. is_active=false pauses, true resumes.
  [[nodiscard]] virtual Expected<void> patch_rollout(std::int64_t id, const RolloutPatch& patch) = 0;
  /// Ends it for good; ending an ended one changes nothing.
  [[nodiscard]] virtual Expected<void> deactivate_rollout(std::int64_t id, const std::string& by) = 0;
};

class FleetReader {
 public:
  virtual ~FleetReader() = default;
  /// Last seen first; empty `model`: all.
  [[nodiscard]] virtual Expected<std::vector<DeviceRow>> list_devices(const std::string& model,
                                                                      int count_max) = 0;
  /// Newest first; empty filters: all.
  [[nodiscard]] virtual Expected<std::vector<UpdateRow>> list_updates(const std::string& device_id,
                                                                      const std::string& version,
                                                                      int count_max) = 0;
  [[nodiscard]] virtual Expected<FleetSummary> summary() = 0;
  /// Whether the database answers; waits at most about a second.
  [[nodiscard]] virtual Expected<void> ping() = 0;
};

}  // namespace ota::fleet
