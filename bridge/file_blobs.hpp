#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "fleet/ports/blobs.hpp"

namespace ota::bridge {

/// Images as files of one folder, FIRMWARE_STORAGE_PATH: `<sha256>.bin`, and whatever an adopted database
/// names. Uploads grow in `.incoming/` of the same folder, so that a rename finishes them. Thread safe;
/// several processes may share the folder.
class FileBlobs final : public fleet::Blobs {
 public:
  using IsReferenced = std::function<fleet::Expected<bool>(const std::string& file_path)>;

  /// Makes the folder where it is missing and removes what uploads of ended processes left in `.incoming`.
  /// A folder that cannot be made or written is reported by the first upload, not here.
  /// `is_referenced` tells whether a release names a file of the folder; without it nothing is ever removed.
  FileBlobs(std::string folder, std::int64_t upload_bytes_max, IsReferenced is_referenced = {});
  ~FileBlobs() override;

  [[nodiscard]] fleet::Expected<std::unique_ptr<fleet::BlobUpload>> begin_upload() override;
  [[nodiscard]] fleet::Expected<std::shared_ptr<const fleet::Blob>> open(const std::string& file_path,
                                                                         std::int64_t size_bytes,
                                                                         const std::string& sha256) override;

  void remove(const std::string& file_path) override;

  /// Removes what is noted as a suspect and named by no release: a process that ended between an upload's
  /// rename and its row leaves one. Files that nobody noted stay, whatever they are. An error of
  /// `is_referenced` ends the sweep and is answered. Passes over everything while an upload of any process is
  /// under way. The number of removed files.
  [[nodiscard]] fleet::Expected<int> sweep_orphans();

 private:
  struct Known;  // a file that was opened before
  void sweep_incoming();
  [[nodiscard]] fleet::Expected<bool> remove_orphan(const std::string& name);
  [[nodiscard]] bool is_verified(const std::string& file_path, const Known& file) const;
  [[nodiscard]] std::shared_ptr<const fleet::Blob> mapped(const std::string& file_path,
                                                          const Known& file) const;

  const std::string folder_;
  const std::int64_t upload_bytes_max_;
  const IsReferenced is_referenced_;
  std::mutex hashing_;  // taken before mutex_
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Known> known_;  // by file path; its hash was seen to be right
};

}  // namespace ota::bridge
