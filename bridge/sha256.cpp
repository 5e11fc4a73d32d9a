#include "bridge/sha256.hpp"

#include <mbedtls/sha256.h>
#include <mbedtls/version.h>

namespace ota::bridge {
namespace {

// mbedTLS 3 dropped the suffix that mbedTLS 2 had given to the calls that answer an error.
#if MBEDTLS_VERSION_MAJOR >= 3
constexpr auto kWhole = mbedtls_sha256;
constexpr auto kStart = mbedtls_sha256_starts;
constexpr auto kUpdate = mbedtls_sha256_update;
constexpr auto kFinish = mbedtls_sha256_finish;
#else
constexpr auto kWhole = mbedtls_sha256_ret;
constexpr auto kStart = mbedtls_sha256_starts_ret;
constexpr auto kUpdate = mbedtls_sha256_update_ret;
constexpr auto kFinish = mbedtls_sha256_finish_ret;
#endif
constexpr int kSha256Not224 = 0;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

// The library's answers are not looked at: the software implementation cannot fail.
Sha256Digest sha256(std::string_view text) {
  Sha256Digest digest{};
  (void)kWhole(bytes_of(text), text.size(), digest.data(), kSha256Not224);
  return digest;
}

std::string to_hex(const Sha256Digest& digest) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * digest.size());
  for (const unsigned byte : digest) {
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 0xFU];
  }
  return hex;
}

struct Sha256Stream::Context {
  mbedtls_sha256_context library{};
};

Sha256Stream::Sha256Stream() : context_(std::make_unique<Context>()) {
  mbedtls_sha256_init(&context_->library);
  (void)kStart(&context_->library, kSha256Not224);
}

Sha256Stream::~Sha256Stream() {
  mbedtls_sha256_free(&context_->library);
}

void Sha256Stream::update(std::string_view bytes) {
  (void)kUpdate(&context_->library, bytes_of(bytes), bytes.size());
}

Sha256Digest Sha256Stream::finish() {
  Sha256Digest digest{};
  (void)kFinish(&context_->library, digest.data());
  return digest;
}

}  // namespace ota::bridge
