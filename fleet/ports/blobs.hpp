#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "fleet/expected.hpp"

namespace ota::fleet {

struct StoredBlob {
  std::string file_path;  ///< relative to the storage folder; the content hash with ".bin"
  std::int64_t size_bytes = 0;
  std::string sha256;  ///< lower-case hex
};

/// An image on its way in: a temporary file that is removed unless keep() succeeds. One thread.
class BlobUpload {
 public:
  virtual ~BlobUpload() = default;
  /// `too_large` beyond the limit given at begin, `storage_full` when the disk is.
  [[nodiscard]] virtual Expected<void> append(std::string_view bytes) = 0;
  /// Makes it durable (fsync, rename to the content hash, fsync of the folder). Idempotent for the same
  /// bytes.
  [[nodiscard]] virtual Expected<StoredBlob> keep() = 0;
};

/// An image ready to be served: mapped read-only, shared by all that serve it.
class Blob {
 public:
  virtual ~Blob() = default;
  [[nodiscard]] virtual std::string_view bytes() const = 0;
  /// Copies `size` bytes from `offset` on; false when the file no longer has them. For those who have to look
  /// at the bytes themselves: through bytes() a page that is gone would be a fatal signal.
  [[nodiscard]] virtual bool copy(std::size_t offset, char* to, std::size_t size) const = 0;
};

/// The folder of firmware images. Thread safe.
class Blobs {
 public:
  virtual ~Blobs() = default;
  [[nodiscard]] virtual Expected<std::unique_ptr<BlobUpload>> begin_upload() = 0;
  /// `not_found` when the file is missing; `invalid` when the path leaves the folder; `internal` when its
  /// size or SHA-256 is not the expected one (checked once per file and process).
  [[nodiscard]] virtual Expected<std::shared_ptr<const Blob>> open(const std::string& file_path,
                                                                   std::int64_t size_bytes,
                                                                   const std::string& sha256) = 0;
  /// Removes a file nobody refers to any more; whoever is being served from it is served to the end. A
  /// missing file is no error.
  virtual void remove(const std::string& file_path) = 0;
};

}  // namespace ota::fleet
