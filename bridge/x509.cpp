#include "bridge/x509.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>
#include <chrono>
#include <ctime>

namespace ota::bridge::x509 {
BioPtr reader(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return size > 0 ? std::string(bytes, static_cast<std::size_t>(size)) : std::string();
}

std::string hex_of(const unsigned char* bytes, std::size_t size) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string hex;
  for (std::size_t i = 0; i < size; ++i) {
    hex += kDigits[bytes[i] >> 4];
    hex += kDigits[bytes[i] & 0xf];
  }
  return hex;
}

std::string pem_of(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  return bio && PEM_write_bio_X509(bio.get(), certificate) == 1 ? text_of(bio.get()) : std::string();
}

std::string serial_text(const ASN1_INTEGER* number) {
  const std::unique_ptr<BIGNUM, Freed<BN_free>> value(ASN1_INTEGER_to_BN(number, nullptr));
  std::array<unsigned char, 64> bytes{};
  if (!value || BN_num_bytes(value.get()) > static_cast<int>(bytes.size())) return {};
  const int size = BN_bn2bin(value.get(), bytes.data());
  return hex_of(bytes.data(), static_cast<std::size_t>(size));
}

NumberPtr serial_number(const std::string& hex) {
  BIGNUM* parsed = nullptr;
  if (BN_hex2bn(&parsed, hex.c_str()) == 0) return nullptr;
  const std::unique_ptr<BIGNUM, Freed<BN_free>> value(parsed);
  return NumberPtr(BN_to_ASN1_INTEGER(value.get(), nullptr));
}

TimePtr asn1_time(fleet::Time time) {
  return TimePtr(ASN1_TIME_set(nullptr, std::chrono::system_clock::to_time_t(time)));
}

fleet::Time time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::time_point_cast<fleet::Time::duration>(
      std::chrono::system_clock::from_time_t(timegm(&parts)));
}

fleet::Error openssl_error(const std::string& doing) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_peek_last_error(), text.data(), text.size());
  ERR_clear_error();
  return {fleet::ErrorKind::internal, doing + ": " + text.data()};
}

bool add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

}  // namespace ota::bridge::x509
