#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

#include "fleet/certificates.hpp"
#include "fleet/expected.hpp"
#include "fleet/time.hpp"

// OpenSSL's certificates with owners, and the few conversions that the authority and the lists share.
// Internal to bridge/: it shows OpenSSL.
namespace ota::bridge::x509 {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using CertPtr = std::unique_ptr<X509, Freed<X509_free>>;
using RequestPtr = std::unique_ptr<X509_REQ, Freed<X509_REQ_free>>;
using ListPtr = std::unique_ptr<X509_CRL, Freed<X509_CRL_free>>;
using NumberPtr = std::unique_ptr<ASN1_INTEGER, Freed<ASN1_INTEGER_free>>;
using TimePtr = std::unique_ptr<ASN1_TIME, Freed<ASN1_TIME_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;

/// A certificate with its private key.
struct Identity {
  CertPtr certificate;
  KeyPtr key;
};

/// Reads from `text`, which must outlive it.
[[nodiscard]] BioPtr reader(std::string_view text);
/// What was written to a memory BIO.
[[nodiscard]] std::string text_of(BIO* bio);

/// Lower-case hex.
[[nodiscard]] std::string hex_of(const unsigned char* bytes, std::size_t size);
[[nodiscard]] std::string pem_of(X509* certificate);
[[nodiscard]] std::string serial_text(const ASN1_INTEGER* number);
/// `hex` as parse_serial answers it; null when out of memory.
[[nodiscard]] NumberPtr serial_number(const std::string& hex);
/// To the second; null when out of memory.
[[nodiscard]] TimePtr asn1_time(fleet::Time time);
[[nodiscard]] fleet::Time time_of(const ASN1_TIME* time);

/// What went wrong last in this thread, for an `internal` error; empties OpenSSL's queue.
[[nodiscard]] fleet::Error openssl_error(const std::string& doing);

/// Adds an extension in the notation of openssl.cnf.
[[nodiscard]] bool add_extension(X509* certificate, X509* issuer, int nid, const char* value);

}  // namespace ota::bridge::x509
