#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

// Owners of OpenSSL's objects. Only the files named tls_… include this.
namespace ota::http {

template <auto Free>
struct OpensslFree {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
template <class T, auto Free>
using OpensslPtr = std::unique_ptr<T, OpensslFree<Free>>;

using BioPtr = OpensslPtr<BIO, BIO_free_all>;
using CertificatePtr = OpensslPtr<X509, X509_free>;
using RevocationListPtr = OpensslPtr<X509_CRL, X509_CRL_free>;
using KeyPtr = OpensslPtr<EVP_PKEY, EVP_PKEY_free>;
using StoreContextPtr = OpensslPtr<X509_STORE_CTX, X509_STORE_CTX_free>;
using ContextPtr = OpensslPtr<SSL_CTX, SSL_CTX_free>;

/// The reason of the call that has just failed; empties this thread's queue of errors.
[[nodiscard]] std::string openssl_reason();

}  // namespace ota::http
