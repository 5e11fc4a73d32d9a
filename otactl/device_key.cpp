#include "otactl/device_key.hpp"

#include <openssl/pem.h>

#include <array>

#include "fleet/limits.hpp"
#include "otactl/openssl.hpp"

namespace ota::otactl {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return size > 0 ? std::string(bytes, static_cast<std::size_t>(size)) : std::string();
}

BioPtr reader(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string pem_of(const X509_REQ* request) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  return bio && PEM_write_bio_X509_REQ(bio.get(), request) == 1 ? text_of(bio.get()) : std::string();
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

// No passphrase is ever asked for on the terminal.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

}  // namespace

Expected<DeviceKey> make_device_key(const std::string& device_id) {
  const KeyPtr key(EVP_EC_gen("P-256"));
  const auto request = key ? make_request(key.get(), device_id) : nullptr;
  const auto csr = request ? pem_of(request.get()) : std::string();
  const BioPtr key_text(BIO_new(BIO_s_secmem()));
  if (csr.empty() || !key_text ||
      PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return fleet::fail(ErrorKind::internal, "OpenSSL cannot make a key");
  }
  return DeviceKey{text_of(key_text.get()), csr};
}

Expected<std::string> request_in(const std::string& text, const std::string& name) {
  const auto bio = reader(text);
  const RequestPtr request(PEM_read_bio_X509_REQ(bio.get(), nullptr, &no_passphrase, nullptr));
  const auto pem = request ? pem_of(request.get()) : std::string();
  if (pem.empty()) {
    return fleet::fail(ErrorKind::invalid,
                       name +
                           " holds no certificate request in PEM form (-----BEGIN CERTIFICATE REQUEST-----), "
                           "and nothing else is sent to the server; openssl req -new -key KEY makes one");
  }
  if (pem.size() > fleet::kCsrBytesMax) {
    return fleet::fail(ErrorKind::too_large, "the certificate request in " + name + " has more than " +
                                                 std::to_string(fleet::kCsrBytesMax) + " bytes");
  }
  return pem;
}

std::string name_in_certificate(const std::string& pem) {
  const auto bio = reader(pem);
  const CertPtr certificate(PEM_read_bio_X509(bio.get(), nullptr, &no_passphrase, nullptr));
  if (!certificate) return {};
  std::array<char, 256> name{};
  const int size = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName,
                                             name.data(), static_cast<int>(name.size()));
  return size > 0 ? std::string(name.data(), static_cast<std::size_t>(size)) : std::string();
}

}  // namespace ota::otactl
