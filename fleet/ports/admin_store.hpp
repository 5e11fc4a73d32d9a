#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fleet/attempts.hpp"
#include "fleet/catalog.hpp"
#include "fleet/expected.hpp"
#include "fleet/list_cursor.hpp"
#include "fleet/manifest.hpp"
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
  bool is_signed = false;     ///< as the uploader says, or because `manifest` was verified
  std::string manifest;       ///< verified (fleet/manifest.hpp); empty: none
  std::int64_t sequence = 0;  ///< the manifest's
  std::string image_json;  ///< what the inspection found (fleet/image_inspection.hpp); empty: not inspected
  std::string forced;      ///< the objection that the uploader overrode; empty: none
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
  bool verified = false;        ///< the service verified its manifest
  std::string image_json = {};  ///< as in NewRelease; empty for a release of an earlier service
  std::string forced = {};      ///< as in NewRelease
  std::string manifest = {};    ///< as in NewRelease
  std::string withdrawn_at = {};
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
  [[nodiscard]] virtual Expected<Page<ReleaseRow>> list_releases(const std::string& model,
                                                                 const PageWanted& page) = 0;
  /// All releases with that version that are not withdrawn, at most one per model; empty `model`: all models.
  [[nodiscard]] virtual Expected<std::vector<ReleaseRow>> find_releases(const std::string& version,
                                                                        const std::string& model) = 0;
  /// Never offers or serves the release again, with its firmware_withdrawn event. `not_found`; withdrawing
  /// twice changes nothing.
  [[nodiscard]] virtual Expected<void> withdraw_release(const std::string& version, const std::string& model,
                                                        const std::string& by, const std::string& why) = 0;
  /// Removes the row, with its firmware_deleted event; answers its file's path when no other release uses
  /// that file, else the empty text. `not_found`; `conflict` while a rollout that has not ended needs it.
  [[nodiscard]] virtual Expected<std::string> delete_release(const std::string& version,
                                                             const std::string& model,
                                                             const std::string& by) = 0;
  /// Replaces the manifest of a stored image by a verified one of a higher sequence, with its manifest_added
  /// event. `not_found`; `invalid` when it is for another image; `conflict` when its sequence does not rise.
  [[nodiscard]] virtual Expected<void> set_manifest(const Manifest& manifest, const std::string& text,
                                                    const std::string& by) = 0;
  /// Whether any release, withdrawn or not, names that file.
  [[nodiscard]] virtual Expected<bool> is_file_used(const std::string& file_path) = 0;
};

class FleetReader {
 public:
  virtual ~FleetReader() = default;
  /// Last seen first; empty `model`: all.
  [[nodiscard]] virtual Expected<Page<DeviceRow>> list_devices(const std::string& model,
                                                               const PageWanted& page) = 0;
  /// Newest first; empty filters: all.
  [[nodiscard]] virtual Expected<Page<UpdateRow>> list_updates(const std::string& device_id,
                                                               const std::string& version,
                                                               const PageWanted& page) = 0;
  [[nodiscard]] virtual Expected<FleetSummary> summary() = 0;
  /// Perhaps a few seconds old where the fleet is large: for those who may ask as often as they like.
  [[nodiscard]] virtual Expected<FleetSummary> recent_summary() = 0;
  /// Whether the database answers; waits at most about a second.
  [[nodiscard]] virtual Expected<void> ping() = 0;
};

}  // namespace ota::fleet
