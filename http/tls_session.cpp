#include "http/tls_session.hpp"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "http/openssl_ptr.hpp"
#include "http/tls_context.hpp"
#include "http/tls_server.hpp"

namespace ota::http {

// OpenSSL's own socket BIO would raise SIGPIPE, and wait where the socket may block.
struct TlsSession::Socket {
  static int read(BIO* bio, char* to, int size) {
    BIO_clear_retry_flags(bio);
    auto& session = *static_cast<TlsSession*>(BIO_get_data(bio));
    const auto count = ::recv(session.fd_, to, static_cast<std::size_t>(size), MSG_DONTWAIT);
    if (count > 0) session.received_bytes_ += count;
    if (count < 0 && can_be_repeated()) BIO_set_retry_read(bio);
    return static_cast<int>(count);
  }

  static int write(BIO* bio, const char* from, int size) {
    BIO_clear_retry_flags(bio);
    auto& session = *static_cast<TlsSession*>(BIO_get_data(bio));
    const auto count = ::send(session.fd_, from, static_cast<std::size_t>(size), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) session.sent_bytes_ += count;
    if (count < 0 && can_be_repeated()) BIO_set_retry_write(bio);
    return static_cast<int>(count);
  }

  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static bool can_be_repeated() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

  static BIO_METHOD* make_method() {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
    BIO_meth_set_read(method, read);
    BIO_meth_set_write(method, write);
    BIO_meth_set_ctrl(method, control);
    return method;
  }

  static BIO* make(TlsSession* session) {
    static const BIO_METHOD* const kMethod = make_method();
    BIO* bio = BIO_new(kMethod);
    if (bio == nullptr) return nullptr;
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    return bio;
  }
};

TlsSession::TlsSession(const TlsServer& server, int fd)
    : server_(server), fd_(fd), trust_revision_(server.trust_revision()), ssl_(server.make_session()) {
  BIO* socket = ssl_ == nullptr ? nullptr : Socket::make(this);
  if (socket != nullptr) SSL_set_bio(ssl_, socket, socket);
}

TlsSession::~TlsSession() {
  end();
  SSL_free(ssl_);
}

TlsSession::Step TlsSession::shake_hands() {
  if (ssl_ == nullptr || SSL_get_rbio(ssl_) == nullptr) return Step::failed;
  ERR_clear_error();
  const int returned = SSL_accept(ssl_);
  if (returned == 1) {
    is_open_ = true;
    return resumed_in_time() && is_trusted() ? Step::done : Step::failed;
  }
  const int error = SSL_get_error(ssl_, returned);
  waits_to_write_ = error == SSL_ERROR_WANT_WRITE;
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return Step::waits;
  ERR_clear_error();
  return Step::failed;
}

// A resumed session was verified when it began; its certificate may have expired since.
bool TlsSession::resumed_in_time() const {
  const X509* certificate = SSL_get0_peer_certificate(ssl_);
  return certificate == nullptr || SSL_session_reused(ssl_) == 0 ||
         X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0;
}

bool TlsSession::is_trusted() {
  const auto revision = server_.trust_revision();
  if (revision == trust_revision_) return true;
  if (!server_.still_trusts(ssl_)) return false;
  trust_revision_ = revision;
  return true;
}

ssize_t TlsSession::read(char* to, std::size_t size) {
  if (!is_trusted()) {
    errno = ECONNRESET;
    return -1;
  }
  ERR_clear_error();
  std::size_t count = 0;
  const int returned = SSL_read_ex(ssl_, to, size, &count);
  return outcome(returned, count);
}

ssize_t TlsSession::write(const char* from, std::size_t size) {
  if (!is_trusted()) {
    errno = ECONNRESET;
    return -1;
  }
  if (size == 0) return 0;
  ERR_clear_error();
  std::size_t count = 0;
  const int returned = SSL_write_ex(ssl_, from, size, &count);
  write_begun_ = returned != 1;
  return outcome(returned, count);
}

ssize_t TlsSession::outcome(int returned, std::size_t count) {
  const int error = SSL_get_error(ssl_, returned);
  waits_to_write_ = error == SSL_ERROR_WANT_WRITE;
  if (returned == 1) return static_cast<ssize_t>(count);
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
  const bool waits = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  if (!waits) is_open_ = false;
  ERR_clear_error();
  errno = waits ? EAGAIN : ECONNRESET;
  return -1;
}

bool TlsSession::has_input() const {
  return SSL_pending(ssl_) > 0;
}

void TlsSession::end() {
  if (!is_open_ || write_begun_) return;
  is_open_ = false;
  ERR_clear_error();
  (void)SSL_shutdown(ssl_);
  ERR_clear_error();
}

TlsClient TlsSession::client() const {
  X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr || SSL_get_verify_result(ssl_) != X509_V_OK) return {};
  return {common_name(certificate), serial_number(certificate)};
}

}  // namespace ota::http
