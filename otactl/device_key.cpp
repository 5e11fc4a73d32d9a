#include "otactl/device_key.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace ota::otactl {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using RequestPtr = std::unique_ptr<X509_REQ, Freed<X509_REQ_free>>;
using BioPtr = std::unique_ptr<BIO, Freed<BIO_free_all>>;

std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return size > 0 ? std::string(bytes, static_cast<std::size_t>(size)) : std::string();
}

RequestPtr make_request(EVP_PKEY* key, const std::string& device_id) {
  RequestPtr request(X509_REQ_new());
  const auto* name = reinterpret_cast<const unsigned char*>(device_id.c_str());
  const bool made = request && X509_REQ_set_version(request.get(), 0) == 1 &&
                    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request.get()), "CN", MBSTRING_ASC,
                                               name, -1, -1, 0) == 1 &&
                    X509_REQ_set_pubkey(request.get(), key) == 1 &&
                    X509_REQ_sign(request.get(), key, EVP_sha256()) > 0;
  return made ? std::move(request) : nullptr;
}

}  // namespace

Expected<DeviceKey> make_device_key(const std::string& device_id) {
  const KeyPtr key(EVP_EC_gen("P-256"));
  const auto request = key ? make_request(key.get(), device_id) : nullptr;
  const BioPtr key_text(BIO_new(BIO_s_secmem()));
  const BioPtr csr_text(BIO_new(BIO_s_mem()));
  if (!request || !key_text || !csr_text ||
      PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_X509_REQ(csr_text.get(), request.get()) != 1) {
    return fleet::fail(ErrorKind::internal, "OpenSSL cannot make a key");
  }
  return DeviceKey{text_of(key_text.get()), text_of(csr_text.get())};
}

Expected<void> write_whole(const std::string& path, const std::string& text, unsigned mode) {
  const auto fresh = path + ".new";
  const auto failed = [&](const std::string& file) {
    return fleet::fail(ErrorKind::unavailable, "cannot write " + file + ": " + std::strerror(errno));
  };
  ::unlink(fresh.c_str());
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file < 0) return failed(fresh);
  const auto written = ::write(file, text.data(), text.size());
  const bool whole = written == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
  ::close(file);
  if (!whole || ::rename(fresh.c_str(), path.c_str()) != 0) return failed(path);
  return {};
}

}  // namespace ota::otactl
