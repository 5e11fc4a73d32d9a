#include "bridge/file_blobs.hpp"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <vector>

#include "bridge/blob_upload.hpp"
#include "bridge/sha256.hpp"
#include "bridge/unique_fd.hpp"
#include "fleet/ids.hpp"

namespace ota::bridge {
namespace {

using fleet::ErrorKind;
using fleet::Expected;
namespace fs = std::filesystem;

constexpr std::size_t kKnownMax = 4096;
constexpr std::size_t kReadBytes = 256 * 1024;

class MappedBlob final : public fleet::Blob {
 public:
  MappedBlob(UniqueFd fd, void* data, std::size_t size) : fd_(std::move(fd)), data_(data), size_(size) {}
  ~MappedBlob() override { ::munmap(data_, size_); }
  MappedBlob(const MappedBlob&) = delete;
  MappedBlob& operator=(const MappedBlob&) = delete;
  std::string_view bytes() const override { return {static_cast<const char*>(data_), size_}; }
  bool copy(std::size_t offset, char* to, std::size_t size) const override {
    while (size > 0) {
      const auto count = ::pread(fd_.get(), to, size, static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      to += count;
      offset += static_cast<std::size_t>(count);
      size -= static_cast<std::size_t>(count);
    }
    return true;
  }

 private:
  UniqueFd fd_;
  void* data_;
  std::size_t size_;
};

// A path of an adopted row comes from outside: relative, and every part a plain name.
bool stays_inside(const std::string& file_path) {
  const fs::path path(file_path);
  if (file_path.empty() || path.is_absolute() || file_path.find('\0') != std::string::npos) return false;
  return std::all_of(path.begin(), path.end(), [](const fs::path& part) {
    return !part.empty() && part != "." && part != ".." && part != kIncomingFolder;
  });
}

// Read, not mapped: a file that shrinks meanwhile ends a read early, but would end the process in a map.
std::optional<std::string> hash_of(int fd) {
  Sha256Stream hash;
  std::vector<char> buffer(kReadBytes);
  off_t at = 0;
  while (true) {
    const auto count = ::pread(fd, buffer.data(), buffer.size(), at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) return to_hex(hash.finish());
    hash.update({buffer.data(), static_cast<std::size_t>(count)});
    at += count;
  }
}

// The sweep's exclusive lock; an empty descriptor while an upload of any process is under way.
Expected<UniqueFd> try_lock_sweep(const std::string& folder) {
  UniqueFd lock(::open(sweep_lock_path(folder).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (!lock) return storage_error("cannot sweep the storage folder", errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return UniqueFd();
  return lock;
}

}  // namespace

struct FileBlobs::Known {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size_bytes = 0;
  std::int64_t changed_ns = 0;  // ctime: no program can set it back
  std::string sha256;
  std::weak_ptr<const fleet::Blob> map = {};

  [[nodiscard]] bool same_file(const Known& other) const {
    return device == other.device && inode == other.inode && size_bytes == other.size_bytes &&
           changed_ns == other.changed_ns && sha256 == other.sha256;
  }
};

FileBlobs::FileBlobs(std::string folder, std::int64_t upload_bytes_max, IsReferenced is_referenced)
    : folder_(std::move(folder)),
      upload_bytes_max_(upload_bytes_max),
      is_referenced_(std::move(is_referenced)) {
  std::error_code error;
  fs::create_directories(fs::path(folder_) / kIncomingFolder, error);
  if (error) spdlog::warn("storage: cannot make {}: {}", folder_, error.message());
  sweep_incoming();
}

FileBlobs::~FileBlobs() = default;

void FileBlobs::sweep_incoming() {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(fs::path(folder_) / kIncomingFolder, error)) {
    if (entry.path().filename().string().rfind("upload-", 0) != 0) continue;
    const UniqueFd file(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    // An upload that lives, in whichever process, holds the lock.
    if (!file || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) continue;
    spdlog::info("storage: removing an unfinished upload, {}", entry.path().filename().string());
    ::unlink(entry.path().c_str());
  }
}

// Under the sweep's lock, so that no upload stands between its rename and its row. Whether the file was
// removed.
Expected<bool> FileBlobs::remove_orphan(const std::string& name) {
  if (!is_referenced_) return false;
  const auto referenced = is_referenced_(name);
  if (!referenced) return tl::unexpected(referenced.error());
  bool removed = false;
  if (!*referenced) {
    spdlog::info("storage: removing {}, which no release names", fleet::printable(name));
    removed = ::unlink((folder_ + "/" + name).c_str()) == 0;
    if (!removed && errno != ENOENT) return storage_error("cannot remove the image", errno);
  }
  ::unlink((fs::path(folder_) / kIncomingFolder / (name + kSuspectSuffix)).c_str());
  return removed;
}

void FileBlobs::remove(const std::string& file_path) {
  if (!stays_inside(file_path)) return;
  // Where an upload keeps the lock, or this process ends here, a later sweep has the note.
  if (file_path.find('/') == std::string::npos) (void)note_suspect(folder_, file_path);
  const auto lock = try_lock_sweep(folder_);
  if (lock && *lock) (void)remove_orphan(file_path);
}

Expected<int> FileBlobs::sweep_orphans() {
  const auto lock = try_lock_sweep(folder_);
  if (!lock) return tl::unexpected(lock.error());
  if (!*lock) return 0;
  int removed = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(fs::path(folder_) / kIncomingFolder, error)) {
    if (entry.path().extension() != kSuspectSuffix) continue;
    const auto was_orphan = remove_orphan(entry.path().stem().string());
    if (!was_orphan) return tl::unexpected(was_orphan.error());
    if (*was_orphan) ++removed;
  }
  return removed;
}

Expected<std::unique_ptr<fleet::BlobUpload>> FileBlobs::begin_upload() {
  std::error_code error;
  fs::create_directories(fs::path(folder_) / kIncomingFolder, error);
  if (error) return storage_error("cannot make the storage folder", error.value());
  return begin_file_upload(folder_, upload_bytes_max_);
}

bool FileBlobs::is_verified(const std::string& file_path, const Known& file) const {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(file_path);
  return found != known_.end() && found->second.same_file(file);
}

std::shared_ptr<const fleet::Blob> FileBlobs::mapped(const std::string& file_path, const Known& file) const {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(file_path);
  return found != known_.end() && found->second.same_file(file) ? found->second.map.lock() : nullptr;
}

Expected<std::shared_ptr<const fleet::Blob>> FileBlobs::open(const std::string& file_path,
                                                             std::int64_t size_bytes,
                                                             const std::string& sha256) {
  const std::string shown = fleet::printable(file_path);
  if (!stays_inside(file_path)) {
    return fleet::fail(ErrorKind::invalid, "image path '" + shown + "' leaves the storage folder");
  }
  UniqueFd fd(::open((folder_ + "/" + file_path).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && (errno == ENOENT || errno == ENOTDIR)) {
    return fleet::fail(ErrorKind::not_found, "image '" + shown + "' is not in the storage folder");
  }
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0)
    return storage_error("cannot open image '" + shown + "'", errno);
  if (!S_ISREG(status.st_mode) || status.st_size != size_bytes || size_bytes <= 0) {
    return fleet::fail(ErrorKind::internal, "stored image '" + shown + "' has " +
                                                std::to_string(status.st_size) + " bytes instead of " +
                                                std::to_string(size_bytes));
  }
  Known file{status.st_dev, status.st_ino, status.st_size,
             std::int64_t{status.st_ctim.tv_sec} * 1'000'000'000 + status.st_ctim.tv_nsec, sha256};
  if (auto map = mapped(file_path, file)) return map;
  // A whole fleet may ask for an image that nobody has hashed yet: one does, the others wait for it.
  const std::lock_guard one_at_a_time(hashing_);
  if (auto map = mapped(file_path, file)) return map;
  if (!is_verified(file_path, file) && hash_of(fd.get()) != sha256) {
    return fleet::fail(ErrorKind::internal, "stored image '" + shown + "' does not match its SHA-256");
  }
  const auto length = static_cast<std::size_t>(size_bytes);
  void* data = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) return storage_error("cannot map image '" + shown + "'", errno);
  std::shared_ptr<const fleet::Blob> map = std::make_shared<MappedBlob>(std::move(fd), data, length);
  file.map = map;
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kKnownMax) known_.clear();
  known_.insert_or_assign(file_path, std::move(file));
  return map;
}

}  // namespace ota::bridge
