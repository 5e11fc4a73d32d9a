#include "esp-client/host/sha256.hpp"

#include <fcntl.h>
#include <mbedtls/sha256.h>
#include <mbedtls/version.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

// mbedTLS 3 took the name without _ret for the calls that report errors.
#if MBEDTLS_VERSION_MAJOR < 3
#define OTA_SHA256(call) mbedtls_sha256_##call##_ret
#else
#define OTA_SHA256(call) mbedtls_sha256_##call
#endif

namespace ota::device::host {

bool sha256_of_file(const std::string& path, std::uint64_t size_bytes, Digest& out) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  mbedtls_sha256_context context;
  mbedtls_sha256_init(&context);
  bool ok = OTA_SHA256(starts)(&context, 0) == 0;
  std::vector<unsigned char> piece(std::size_t{1} << 16U);
  while (ok && size_bytes > 0) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), size_bytes));
    const ssize_t got = read(file, piece.data(), wanted);
    ok = got > 0 && OTA_SHA256(update)(&context, piece.data(), static_cast<std::size_t>(got)) == 0;
    if (ok) size_bytes -= static_cast<std::uint64_t>(got);
  }
  ok = ok && OTA_SHA256(finish)(&context, out.data()) == 0;
  mbedtls_sha256_free(&context);
  close(file);
  return ok;
}

}  // namespace ota::device::host
