#include "bridge/crl_file.hpp"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "bridge/unique_fd.hpp"
#include "bridge/x509.hpp"

namespace ota::bridge {
namespace {

using fleet::ErrorKind;
using fleet::Expected;
namespace fs = std::filesystem;

// No list of a fleet is longer: a million entries.
constexpr std::uintmax_t kBytesMax = 64 * 1024 * 1024;

tl::unexpected<fleet::Error> failed(const std::string& doing) {
  return fleet::fail(ErrorKind::unavailable, doing + ": " + std::strerror(errno));
}

// Mosquitto reads it under another account.
constexpr mode_t kMode = 0644;

Expected<void> write_whole(const std::string& path, const std::string& bytes) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode));
  if (!file) return failed("cannot write " + path);
  std::size_t written = 0;
  while (written < bytes.size()) {
    const auto count = ::write(file.get(), bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return failed("cannot write " + path);
    written += static_cast<std::size_t>(count);
  }
  if (::fchmod(file.get(), kMode) != 0 || ::fsync(file.get()) != 0) return failed("cannot write " + path);
  return {};
}

void sync_folder(const std::string& path) {
  const auto folder = fs::path(path).parent_path();
  const UniqueFd opened(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened) ::fsync(opened.get());
}

std::string read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

CrlFile::Mark CrlFile::mark() const {
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0) return {};
  constexpr std::int64_t kSecond = 1000000000;
  return {status.st_ino, status.st_size, status.st_mtim.tv_sec * kSecond + status.st_mtim.tv_nsec};
}

bool CrlFile::has_changed() const {
  return !(mark() == last_);
}

Expected<RevocationList> CrlFile::read() {
  last_ = mark();
  std::error_code missing;
  const auto size = fs::file_size(path_, missing);
  if (missing) return fleet::fail(ErrorKind::not_found, path_ + " is not there");
  if (size > kBytesMax) return fleet::fail(ErrorKind::invalid, path_ + " is too large for a revocation list");
  auto list = authority_.read_list(read_whole(path_));
  if (!list) return tl::unexpected(list.error().with_context(path_));
  return list;
}

Expected<void> CrlFile::replace(const std::string& pem) {
  const auto fresh = path_ + "." + std::to_string(::getpid()) + ".new";  // several bridges may keep one file
  if (auto written = write_whole(fresh, pem); !written) return written;
  // What lies there, not what was meant: the disk may be full or the file somebody else's too.
  if (read_whole(fresh) != pem || !authority_.read_list(pem)) {
    return fleet::fail(ErrorKind::unavailable, fresh + " does not hold what was written; the old list stays");
  }
  if (::rename(fresh.c_str(), path_.c_str()) != 0) return failed("cannot replace " + path_);
  sync_folder(path_);
  last_ = mark();
  return {};
}

Expected<std::string> read_crl_der(const std::string& path) {
  const auto pem = read_whole(path);
  const x509::ListPtr list(PEM_read_bio_X509_CRL(x509::reader(pem).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  const int size = list ? i2d_X509_CRL(list.get(), nullptr) : 0;
  if (size <= 0) return fleet::fail(ErrorKind::not_found, "there is no revocation list to be had just now");
  std::string der(static_cast<std::size_t>(size), '\0');
  auto* at = reinterpret_cast<unsigned char*>(der.data());
  i2d_X509_CRL(list.get(), &at);
  return der;
}

}  // namespace ota::bridge
