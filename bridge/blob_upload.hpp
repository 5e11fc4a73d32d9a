#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "bridge/sha256.hpp"
#include "bridge/unique_fd.hpp"
#include "fleet/ports/blobs.hpp"

namespace ota::bridge {

/// Sub-folder of the storage folder where uploads grow.
inline constexpr char kIncomingFolder[] = ".incoming";

/// A file that every upload holds a shared lock on from begin to end and a sweep an exclusive one, so that a
/// sweep never sees an image between its rename and its row. Locks end with their process.
[[nodiscard]] std::string sweep_lock_path(const std::string& folder);

/// Notes, durably, that no release may name an image of `folder`: before an upload stands in its place, and
/// where a file could not be removed at once. Only what is noted is ever swept: a folder may hold images that
/// this database knows nothing of.
[[nodiscard]] fleet::Expected<void> note_suspect(const std::string& folder, const std::string& file_name);
inline constexpr char kSuspectSuffix[] = ".suspect";  ///< of the note, behind the file's name

/// An error of the file system as a sentence; "no space" and "quota exceeded" become storage_full.
[[nodiscard]] tl::unexpected<fleet::Error> storage_error(const std::string& doing, int error_number);

/// An upload in `folder`. `invalid` is never answered; `internal` when the folder cannot be written.
[[nodiscard]] fleet::Expected<std::unique_ptr<fleet::BlobUpload>> begin_file_upload(const std::string& folder,
                                                                                    std::int64_t bytes_max);

}  // namespace ota::bridge
