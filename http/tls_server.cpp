#include "http/tls_server.hpp"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include "http/openssl_ptr.hpp"
#include "http/tls_context.hpp"

namespace ota::http {
namespace {

constexpr std::chrono::seconds kLookEvery{2};
// Who steals a ticket key can read what was resumed under it.
constexpr std::chrono::hours kTicketKeysLast{12};
// Places in Stamps.
constexpr std::size_t kClientCa = 2;
constexpr std::size_t kClientCrl = 3;

}  // namespace

TlsServer::TlsServer(const TlsFiles& files) : files_(files) {}

fleet::Expected<std::unique_ptr<TlsServer>> TlsServer::open(const TlsFiles& files) {
  std::unique_ptr<TlsServer> server(new TlsServer(files));
  server->last_seen_ = server->stamps();
  if (const auto loaded = server->load(server->last_seen_); !loaded) return tl::unexpected(loaded.error());
  server->thread_ = std::thread([raw = server.get()] { raw->watch(); });
  return server;
}

TlsServer::~TlsServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

TlsServer::Stamp TlsServer::stamp_of(const std::string& path) {
  struct stat status {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino, status.st_size,
          std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

TlsServer::Stamps TlsServer::stamps() const {
  return {stamp_of(files_.certificate), stamp_of(files_.key), stamp_of(files_.client_ca),
          stamp_of(files_.client_crl)};
}

fleet::Expected<void> TlsServer::load(const Stamps& seen) {
  tried_ = seen;
  auto material = read_tls_material(files_);
  if (!material) return tl::unexpected(material.error());
  auto made = make_tls_context(*material);
  if (!made) return tl::unexpected(made.error());
  for (const auto& warning : material->warnings) spdlog::warn("https: {}", warning);
  {
    const std::lock_guard lock(mutex_);
    context_ = std::move(*made);
  }
  if (!(seen[kClientCa] == loaded_[kClientCa]) || !(seen[kClientCrl] == loaded_[kClientCrl])) {
    trust_revision_.fetch_add(1, std::memory_order_release);
  }
  certificate_ends_at_.store(end_of(material->certificate.get()), std::memory_order_relaxed);
  loaded_ = seen;
  made_at_ = Clock::now();
  return {};
}

void TlsServer::watch() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kLookEvery, [this] { return stopping_; })) {
    lock.unlock();
    look_again();
    lock.lock();
  }
}

void TlsServer::look_again() {
  const auto seen = stamps();
  // Certificate and key are replaced one after the other: what still changes is left for the next look.
  const bool settled = seen == last_seen_;
  last_seen_ = seen;
  const bool changed = !(seen == loaded_);
  if (!settled || (changed && seen == tried_) || (!changed && Clock::now() - made_at_ < kTicketKeysLast))
    return;
  if (const auto loaded = load(seen); !loaded) {
    spdlog::error("https: {}; what was read before stays in force", loaded.error().message);
  } else if (changed) {
    spdlog::info("https: certificates and revocation lists read again");
  }
}

std::shared_ptr<ssl_ctx_st> TlsServer::context() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

ssl_st* TlsServer::make_session() const {
  // The session keeps its context alive.
  return SSL_new(context().get());
}

bool TlsServer::still_trusts(const ssl_st* session) const {
  X509* certificate = SSL_get0_peer_certificate(session);
  if (certificate == nullptr) return true;
  const auto now_valid = context();
  const StoreContextPtr check(X509_STORE_CTX_new());
  if (!check || X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(now_valid.get()), certificate,
                                    SSL_get_peer_cert_chain(session)) != 1) {
    return false;
  }
  X509_STORE_CTX_set_default(check.get(), "ssl_client");
  const bool trusted =
      SSL_CTX_get_verify_mode(now_valid.get()) != SSL_VERIFY_NONE && X509_verify_cert(check.get()) == 1;
  if (!trusted) (void)openssl_reason();
  return trusted;
}

}  // namespace ota::http
