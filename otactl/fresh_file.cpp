#include "otactl/fresh_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "otactl/command.hpp"

namespace ota::otactl {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

tl::unexpected<fleet::Error> cannot_write(const std::string& path, int error) {
  return fleet::fail(ErrorKind::unavailable, "cannot write " + path + ": " + std::strerror(error));
}

mode_t current_umask() {
  const auto mask = ::umask(077);
  ::umask(mask);
  return mask;
}

bool write_all(int file, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const auto count = ::write(file, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return ::fsync(file) == 0;
}

}  // namespace

FreshFile::FreshFile(std::string path, std::string beside, int file)
    : path_(std::move(path)), beside_(std::move(beside)), file_(file) {}

FreshFile::FreshFile(FreshFile&& other) noexcept
    : path_(std::move(other.path_)),
      beside_(std::exchange(other.beside_, {})),
      file_(std::exchange(other.file_, -1)) {}

FreshFile::~FreshFile() {
  if (file_ >= 0) ::close(file_);
  if (!beside_.empty()) ::unlink(beside_.c_str());
}

Expected<FreshFile> FreshFile::make(const std::string& path, unsigned mode) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode)) {
    return fleet::fail(ErrorKind::invalid,
                       path + " is a folder, a link or a device, which otactl does not replace by a file");
  }
  std::string beside = path + ".XXXXXX";
  const int file = ::mkostemp(beside.data(), O_CLOEXEC);
  if (file < 0) return cannot_write(path, errno);
  FreshFile fresh(path, std::move(beside), file);
  if (::fchmod(file, mode & ~current_umask()) != 0) return cannot_write(path, errno);
  return fresh;
}

Expected<void> FreshFile::write(const std::string& text) {
  const bool written = write_all(file_, text);
  const int error = errno;
  const bool closed = ::close(std::exchange(file_, -1)) == 0;
  if (!written) return cannot_write(path_, error);
  if (!closed) return cannot_write(path_, errno);
  return {};
}

Expected<void> FreshFile::place() {
  if (::rename(beside_.c_str(), path_.c_str()) != 0) return cannot_write(path_, errno);
  beside_.clear();
  return {};
}

void write_file(const std::string& path, const std::string& text, unsigned mode) {
  auto file = FreshFile::make(path, mode);
  if (!file) end_with(file.error().message);
  const auto written = file->write(text).and_then([&] { return file->place(); });
  if (!written) end_with(written.error().message);
}

}  // namespace ota::otactl
