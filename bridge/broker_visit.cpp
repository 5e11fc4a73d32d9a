#include "bridge/broker_visit.hpp"

#include <mosquitto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <optional>

#include "bridge/broker_address.hpp"
#include "bridge/x509.hpp"

namespace ota::bridge {
namespace {

using Clock = std::chrono::steady_clock;
using ContextPtr = std::unique_ptr<SSL_CTX, x509::Freed<SSL_CTX_free>>;
using ClientPtr = std::unique_ptr<mosquitto, x509::Freed<mosquitto_destroy>>;

constexpr int kKeepAliveSeconds = 10;

bool trust(SSL_CTX* context, const std::string& pem) {
  const auto bio = x509::reader(pem);
  bool any = false;
  while (x509::CertPtr certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    any = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate.get()) == 1;
  }
  ERR_clear_error();
  return any;
}

bool show(SSL_CTX* context, const VisitOptions& options) {
  if (options.cert_pem.empty()) return true;
  const x509::CertPtr certificate(
      PEM_read_bio_X509(x509::reader(options.cert_pem).get(), nullptr, nullptr, nullptr));
  const x509::KeyPtr key(
      PEM_read_bio_PrivateKey(x509::reader(options.key_pem).get(), nullptr, nullptr, nullptr));
  return certificate && key && SSL_CTX_use_certificate(context, certificate.get()) == 1 &&
         SSL_CTX_use_PrivateKey(context, key.get()) == 1;
}

// The broker's name is verified like its certificate.
ContextPtr make_context(const VisitOptions& options, const std::string& host) {
  ContextPtr context(SSL_CTX_new(TLS_client_method()));
  if (!context || !trust(context.get(), options.ca_pem) || !show(context.get(), options)) return nullptr;
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  auto* parameters = SSL_CTX_get0_param(context.get());
  const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1;
  ERR_clear_error();
  if (!is_address && X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), host.size()) != 1) return nullptr;
  return context;
}

bool hand_over(mosquitto* client, SSL_CTX* context) {
  return mosquitto_void_option(client, MOSQ_OPT_SSL_CTX, context) == MOSQ_ERR_SUCCESS &&
         mosquitto_int_option(client, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0) == MOSQ_ERR_SUCCESS;
}

// Whether somebody has taken the connection by now.
bool is_taken(mosquitto* client) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  return ::getpeername(mosquitto_socket(client), reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

void note_connack(mosquitto*, void* connack, int code) {
  *static_cast<std::optional<int>*>(connack) = code;
}

}  // namespace

Visit visit_broker(const VisitOptions& options, std::chrono::milliseconds wait_max) {
  static const int initialised = mosquitto_lib_init();
  const auto address = parse_broker_url(options.url);
  if (initialised != MOSQ_ERR_SUCCESS || !address) return Visit::unreachable;
  std::optional<int> connack;
  ContextPtr context;  // outlives the client
  const ClientPtr client(mosquitto_new(options.client_id.c_str(), true, &connack));
  if (!client) return Visit::unreachable;
  if (address->tls) {
    context = make_context(options, address->host);
    if (!context || !hand_over(client.get(), context.get())) return Visit::unreachable;
  }
  if (!options.username.empty())
    mosquitto_username_pw_set(client.get(), options.username.c_str(), options.password.c_str());
  mosquitto_connect_callback_set(client.get(), note_connack);

  const auto deadline = Clock::now() + wait_max;
  // The other call waits for an address that nobody answers at, for minutes.
  int status = mosquitto_connect_async(client.get(), address->host.c_str(), address->port, kKeepAliveSeconds);
  bool taken = false;
  while (status == MOSQ_ERR_SUCCESS && !connack && Clock::now() < deadline) {
    taken = taken || is_taken(client.get());
    status = mosquitto_loop(client.get(), 50, 1);
  }
  ERR_clear_error();
  if (connack == 0) {
    mosquitto_disconnect(client.get());
    mosquitto_loop(client.get(), 50, 1);
    return Visit::welcome;
  }
  return connack || (taken && status != MOSQ_ERR_SUCCESS) ? Visit::refused : Visit::unreachable;
}

std::string read_pem(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace ota::bridge
