#include "esp-client/host/device_key.hpp"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>

#include <array>
#include <ctime>
#include <stdexcept>

namespace ota::device::host {
namespace {

constexpr std::size_t kPemBytesMax = 4096;

void require(int code, const char* doing) {
  if (code != 0)
    throw std::runtime_error(std::string("mbedTLS cannot ") + doing + ": " + std::to_string(code));
}

class Random {
 public:
  Random() {
    mbedtls_entropy_init(&entropy_);
    mbedtls_ctr_drbg_init(&drbg_);
    require(mbedtls_ctr_drbg_seed(&drbg_, mbedtls_entropy_func, &entropy_, nullptr, 0), "gather entropy");
  }
  ~Random() {
    mbedtls_ctr_drbg_free(&drbg_);
    mbedtls_entropy_free(&entropy_);
  }
  Random(const Random&) = delete;
  Random& operator=(const Random&) = delete;
  mbedtls_ctr_drbg_context* get() { return &drbg_; }

 private:
  mbedtls_entropy_context entropy_{};
  mbedtls_ctr_drbg_context drbg_{};
};

class Key {
 public:
  Key() { mbedtls_pk_init(&key_); }
  ~Key() { mbedtls_pk_free(&key_); }
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
  mbedtls_pk_context* get() { return &key_; }

  void parse(const std::string& pem, Random& random) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(pem.c_str());
    // The NUL counts. mbedTLS 3 wants a random source to blind with.
#if MBEDTLS_VERSION_MAJOR >= 3
    require(
        mbedtls_pk_parse_key(&key_, bytes, pem.size() + 1, nullptr, 0, mbedtls_ctr_drbg_random, random.get()),
        "read the key");
#else
    (void)random;
    require(mbedtls_pk_parse_key(&key_, bytes, pem.size() + 1, nullptr, 0), "read the key");
#endif
  }

 private:
  mbedtls_pk_context key_{};
};

class Request {
 public:
  Request() { mbedtls_x509write_csr_init(&request_); }
  ~Request() { mbedtls_x509write_csr_free(&request_); }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  mbedtls_x509write_csr* get() { return &request_; }

 private:
  mbedtls_x509write_csr request_{};
};

class Certificate {
 public:
  Certificate() { mbedtls_x509_crt_init(&certificate_); }
  ~Certificate() { mbedtls_x509_crt_free(&certificate_); }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;
  mbedtls_x509_crt* get() { return &certificate_; }

  void parse(const std::string& pem) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(pem.c_str());
    require(mbedtls_x509_crt_parse(&certificate_, bytes, pem.size() + 1), "read the certificate");
  }

 private:
  mbedtls_x509_crt certificate_{};
};

std::uint64_t seconds_of(const mbedtls_x509_time& time) {
  std::tm parts{};
  parts.tm_year = time.year - 1900;
  parts.tm_mon = time.mon - 1;
  parts.tm_mday = time.day;
  parts.tm_hour = time.hour;
  parts.tm_min = time.min;
  parts.tm_sec = time.sec;
  return static_cast<std::uint64_t>(timegm(&parts));
}

}  // namespace

std::string make_key_pem() {
  Random random;
  Key key;
  require(mbedtls_pk_setup(key.get(), mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), "set up a key");
  require(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key.get()), mbedtls_ctr_drbg_random,
                              random.get()),
          "make a key");
  std::array<unsigned char, kPemBytesMax> pem{};
  require(mbedtls_pk_write_key_pem(key.get(), pem.data(), pem.size()), "write the key");
  return reinterpret_cast<const char*>(pem.data());
}

std::string make_csr_pem(const std::string& key_pem, const std::string& device_id) {
  Random random;
  Key key;
  key.parse(key_pem, random);
  Request request;
  mbedtls_x509write_csr_set_md_alg(request.get(), MBEDTLS_MD_SHA256);
  mbedtls_x509write_csr_set_key(request.get(), key.get());
  require(mbedtls_x509write_csr_set_subject_name(request.get(), ("CN=" + device_id).c_str()),
          "name the device");
  std::array<unsigned char, kPemBytesMax> pem{};
  require(
      mbedtls_x509write_csr_pem(request.get(), pem.data(), pem.size(), mbedtls_ctr_drbg_random, random.get()),
      "write the request");
  return reinterpret_cast<const char*>(pem.data());
}

bool is_pair(const std::string& certificate_pem, const std::string& key_pem) {
  Random random;
  Key key;
  key.parse(key_pem, random);
  Certificate certificate;
  certificate.parse(certificate_pem);
#if MBEDTLS_VERSION_MAJOR >= 3
  return mbedtls_pk_check_pair(&certificate.get()->pk, key.get(), mbedtls_ctr_drbg_random, random.get()) == 0;
#else
  return mbedtls_pk_check_pair(&certificate.get()->pk, key.get()) == 0;
#endif
}

Lifetime lifetime_of(const std::string& certificate_pem) {
  Certificate certificate;
  certificate.parse(certificate_pem);
  return {seconds_of(certificate.get()->valid_from), seconds_of(certificate.get()->valid_to)};
}

}  // namespace ota::device::host
