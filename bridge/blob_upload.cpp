#include "bridge/blob_upload.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace ota::bridge {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

Expected<void> sync_folder(const std::string& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return storage_error("cannot make the storage folder durable", errno);
  return {};
}

class FileUpload final : public fleet::BlobUpload {
 public:
  FileUpload(std::string folder, std::string temporary, UniqueFd file, UniqueFd lock, std::int64_t bytes_max)
      : folder_(std::move(folder)),
        temporary_(std::move(temporary)),
        file_(std::move(file)),
        lock_(std::move(lock)),
        bytes_max_(bytes_max) {}

  ~FileUpload() override {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }
  FileUpload(const FileUpload&) = delete;
  FileUpload& operator=(const FileUpload&) = delete;

  Expected<void> append(std::string_view bytes) override {
    if (bytes_max_ - size_bytes_ < static_cast<std::int64_t>(bytes.size())) {
      return fleet::fail(ErrorKind::too_large,
                         "the image is larger than " + std::to_string(bytes_max_) + " bytes");
    }
    hash_.update(bytes);
    size_bytes_ += static_cast<std::int64_t>(bytes.size());
    while (!bytes.empty()) {
      const auto written = ::write(file_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return storage_error("cannot store the image", errno);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  Expected<fleet::StoredBlob> keep() override {
    if (kept_) return *kept_;
    fleet::StoredBlob blob;
    if (digest_.empty()) digest_ = to_hex(hash_.finish());
    blob.sha256 = digest_;
    blob.size_bytes = size_bytes_;
    blob.file_path = blob.sha256 + ".bin";
    if (auto noted = note_suspect(folder_, blob.file_path); !noted) return tl::unexpected(noted.error());
    // The name is the content, so renaming over an earlier file of that name changes nothing in it.
    const std::string target = folder_ + "/" + blob.file_path;
    if (::fsync(file_.get()) != 0) return storage_error("cannot make the image durable", errno);
    if (::rename(temporary_.c_str(), target.c_str()) != 0) {
      return storage_error("cannot move the image into place", errno);
    }
    temporary_.clear();
    if (auto synced = sync_folder(folder_); !synced) return tl::unexpected(synced.error());
    kept_ = blob;
    return blob;
  }

 private:
  const std::string folder_;
  std::string temporary_;  // empty once renamed
  UniqueFd file_;
  UniqueFd lock_;  // shared, until the row is there
  const std::int64_t bytes_max_;
  std::int64_t size_bytes_ = 0;
  Sha256Stream hash_;
  std::string digest_;  // empty before keep()
  std::optional<fleet::StoredBlob> kept_;
};

}  // namespace

std::string sweep_lock_path(const std::string& folder) {
  return folder + "/" + kIncomingFolder + "/lock";
}

Expected<void> note_suspect(const std::string& folder, const std::string& file_name) {
  const std::string incoming = folder + "/" + kIncomingFolder;
  const UniqueFd note(
      ::open((incoming + "/" + file_name + kSuspectSuffix).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0640));
  if (!note) return storage_error("cannot write to the storage folder", errno);
  return sync_folder(incoming);
}

tl::unexpected<fleet::Error> storage_error(const std::string& doing, int error_number) {
  const bool full = error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
  return fleet::fail(full ? ErrorKind::storage_full : ErrorKind::internal,
                     doing + ": " + std::system_category().message(error_number));
}

Expected<std::unique_ptr<fleet::BlobUpload>> begin_file_upload(const std::string& folder,
                                                               std::int64_t bytes_max) {
  UniqueFd lock(::open(sweep_lock_path(folder).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (!lock) return storage_error("cannot write to the storage folder", errno);
  if (::flock(lock.get(), LOCK_SH) != 0) return storage_error("cannot lock the storage folder", errno);

  std::string temporary = folder + "/" + kIncomingFolder + "/upload-XXXXXX";
  UniqueFd file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!file) return storage_error("cannot write to the storage folder", errno);
  // Its own lock tells the sweep of another process that this upload lives.
  (void)::flock(file.get(), LOCK_EX | LOCK_NB);
  (void)::fchmod(file.get(), 0640);
  return std::make_unique<FileUpload>(folder, std::move(temporary), std::move(file), std::move(lock),
                                      bytes_max);
}

}  // namespace ota::bridge
