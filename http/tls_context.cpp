#include "http/tls_context.hpp"

#include <openssl/bn.h>
#include <openssl/x509v3.h>

#include <string_view>

#include "fleet/certificates.hpp"
#include "fleet/limits.hpp"

namespace ota::http {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

// TLS 1.2: forward secrecy and authenticated encryption only. ECDSA first: small devices verify it faster.
constexpr char kCiphers12[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr char kCiphers13[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr char kGroups[] = "X25519:P-256:P-384";
constexpr int kSecurityLevel = 2;  // 112 bits: RSA of 2048 bits, no SHA-1
constexpr std::string_view kProtocols("\x08http/1.1\x08http/1.0", 18);

constexpr std::uint64_t kOptions = SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;
// Idle connections hold no buffers. A write may be repeated from other memory with the same bytes.
constexpr long kModes =
    SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER;

constexpr long kResumeSeconds = 6 * 3600;
constexpr long kSessionsMax = 4096;  // of clients without tickets; BearSSL on an ESP8266 knows none
constexpr unsigned char kSessionContext[] = "ota-bridge";
constexpr int kClientChainDepthMax = 4;
constexpr std::size_t kNameBytesMax = 64;

// A client that asks for something else than HTTP/1.x is told so (RFC 7301 section 3.2).
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
  unsigned char* found = nullptr;
  const auto* ours = reinterpret_cast<const unsigned char*>(kProtocols.data());
  const int outcome = SSL_select_next_proto(
      &found, chosen_size, ours, static_cast<unsigned int>(kProtocols.size()), offered, offered_size);
  if (outcome != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

bool set_rules(SSL_CTX* context) {
  SSL_CTX_set_options(context, kOptions);
  SSL_CTX_set_mode(context, kModes);
  // One record per call: a flood of those that carry no data must not hold the poller.
  SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_security_level(context, kSecurityLevel);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(context, kCiphers12) == 1 &&
         SSL_CTX_set_ciphersuites(context, kCiphers13) == 1 &&
         SSL_CTX_set1_groups_list(context, kGroups) == 1;
}

bool set_resumption(SSL_CTX* context) {
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER);
  SSL_CTX_sess_set_cache_size(context, kSessionsMax);
  SSL_CTX_set_timeout(context, kResumeSeconds);
  return SSL_CTX_set_session_id_context(context, kSessionContext, sizeof(kSessionContext) - 1) == 1 &&
         SSL_CTX_set_num_tickets(context, 1) == 1;
}

bool set_identity(SSL_CTX* context, const TlsMaterial& material) {
  if (SSL_CTX_use_certificate(context, material.certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, material.key.get()) != 1) {
    return false;
  }
  for (const auto& certificate : material.chain) {
    if (SSL_CTX_add1_chain_cert(context, certificate.get()) != 1) return false;
  }
  return true;
}

bool set_client_trust(SSL_CTX* context, const TlsMaterial& material) {
  if (material.client_authorities.empty()) return true;
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const auto& authority : material.client_authorities) {
    if (X509_STORE_add_cert(store, authority.get()) != 1 ||
        SSL_CTX_add_client_CA(context, authority.get()) != 1) {
      return false;
    }
  }
  for (const auto& list : material.revocation_lists) {
    if (X509_STORE_add_crl(store, list.get()) != 1) return false;
  }
  // An issuing authority may be trusted without the root above it, which then needs no list either.
  unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
  if (!material.revocation_lists.empty()) flags |= X509_V_FLAG_CRL_CHECK;
  X509_STORE_set_flags(store, flags);
  // Asked for, not demanded: who shows none is a client without a name.
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_verify_depth(context, kClientChainDepthMax);
  SSL_CTX_set_max_cert_list(context, static_cast<long>(fleet::kClientChainBytesMax));
  return true;
}

}  // namespace

Expected<ContextPtr> make_tls_context(const TlsMaterial& material) {
  ContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (!context || !set_rules(context.get()) || !set_resumption(context.get())) {
    return fleet::fail(ErrorKind::internal, "TLS cannot be set up: " + openssl_reason());
  }
  if (!set_identity(context.get(), material)) {
    return fleet::fail(ErrorKind::invalid, "HTTPS_CERT: the certificate cannot be used: " + openssl_reason());
  }
  if (!set_client_trust(context.get(), material)) {
    return fleet::fail(ErrorKind::invalid,
                       "HTTPS_CLIENT_CA: the authorities cannot be used: " + openssl_reason());
  }
  return context;
}

Expected<std::vector<std::string>> test_tls_files(const TlsFiles& files) {
  auto material = read_tls_material(files);
  if (!material) return tl::unexpected(material.error());
  if (const auto context = make_tls_context(*material); !context) return tl::unexpected(context.error());
  return std::move(material->warnings);
}

std::string common_name(X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return "";
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (size < 0) return "";
  std::string name(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
  OPENSSL_free(text);
  return name.size() > kNameBytesMax || name.find('\0') != std::string::npos ? "" : name;
}

std::string serial_number(X509* certificate) {
  const OpensslPtr<BIGNUM, BN_free> number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  char* hex = number ? BN_bn2hex(number.get()) : nullptr;
  if (hex == nullptr) return "";
  const auto serial = fleet::parse_serial("serial", hex);
  OPENSSL_free(hex);
  return serial.value_or("");
}

}  // namespace ota::http
