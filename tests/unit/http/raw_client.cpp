#include "tests/unit/http/raw_client.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <stdexcept>
#include <utility>

namespace ota::tests {
namespace {

using Clock = std::chrono::steady_clock;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

Reply parse_head(const std::string& head) {
  Reply reply;
  reply.status = std::stoi(head.substr(head.find(' ') + 1, 3));
  auto at = head.find("\r\n");
  while (at != std::string::npos && at + 2 < head.size()) {
    const auto end = head.find("\r\n", at + 2);
    const auto line = head.substr(at + 2, end == std::string::npos ? end : end - at - 2);
    const auto colon = line.find(": ");
    if (colon != std::string::npos) reply.headers[lower(line.substr(0, colon))] = line.substr(colon + 2);
    at = end;
  }
  return reply;
}

}  // namespace

RawClient::RawClient(const Endpoint& server, int receive_bytes, ssl_session_st* session)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_bytes > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(server.port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    throw std::runtime_error("cannot connect to the server under test");
  }
  if (server.tls != nullptr) shake_hands(*server.tls, session);
}

void RawClient::FreeTls::operator()(ssl_st* tls) const {
  SSL_free(tls);
}

void RawClient::shake_hands(const ClientTls& with, ssl_session_st* session) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  SSL_CTX_free);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_load_verify_file(context.get(), with.ca.c_str());
  if (with.version_max != 0) {
    SSL_CTX_set_min_proto_version(context.get(), 0);
    SSL_CTX_set_max_proto_version(context.get(), with.version_max);
    SSL_CTX_set_security_level(context.get(), 0);
  }
  if (!with.has_tickets) SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
  if (!with.certificate.empty()) {
    SSL_CTX_use_certificate_chain_file(context.get(), with.certificate.c_str());
    SSL_CTX_use_PrivateKey_file(context.get(), with.key.c_str(), SSL_FILETYPE_PEM);
  }
  tls_.reset(SSL_new(context.get()));
  SSL_set1_host(tls_.get(), "localhost");
  if (!with.protocols.empty()) {
    SSL_set_alpn_protos(tls_.get(), reinterpret_cast<const unsigned char*>(with.protocols.data()),
                        static_cast<unsigned int>(with.protocols.size()));
  }
  if (session != nullptr) SSL_set_session(tls_.get(), session);
  SSL_set_fd(tls_.get(), fd_);
  connected_ = SSL_connect(tls_.get()) == 1;
  ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
}

// Waits outside the lock, so that who reads does not wait for who sends.
int RawClient::try_tls(const std::function<int()>& step) {
  while (true) {
    std::unique_lock lock(*tls_mutex_);
    const int outcome = step();
    const int error = SSL_get_error(tls_.get(), outcome);
    lock.unlock();
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return outcome;
    pollfd waiting{fd_, static_cast<short>(error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT), 0};
    ::poll(&waiting, 1, -1);
  }
}

bool RawClient::wait_readable(std::chrono::milliseconds wait) const {
  if (tls_) {
    const std::lock_guard lock(*tls_mutex_);
    if (SSL_pending(tls_.get()) > 0) return true;
  }
  pollfd waiting{fd_, POLLIN, 0};
  return ::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(wait.count(), 0))) > 0;
}

ssize_t RawClient::receive(char* to, std::size_t size) {
  if (!tls_) return ::recv(fd_, to, size, 0);
  return try_tls([&] { return SSL_read(tls_.get(), to, static_cast<int>(size)); });
}

RawClient::RawClient(RawClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      tls_(std::move(other.tls_)),
      tls_mutex_(std::move(other.tls_mutex_)),
      connected_(other.connected_),
      in_(std::move(other.in_)) {}

RawClient::~RawClient() {
  if (fd_ >= 0) ::close(fd_);
}

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto write_tls = [&] {
      return SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
    };
    const auto sent = tls_ ? try_tls(write_tls) : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool RawClient::fill(Clock::time_point until) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
  if (!wait_readable(std::chrono::milliseconds(left))) return false;
  char bytes[65536];
  const auto count = receive(bytes, sizeof(bytes));
  if (count <= 0) return false;
  in_.append(bytes, static_cast<std::size_t>(count));
  return true;
}

Reply RawClient::read_reply(bool head_only, std::chrono::milliseconds wait) {
  const auto until = Clock::now() + wait;
  auto end = in_.find("\r\n\r\n");
  while (end == std::string::npos) {
    if (!fill(until)) return {};
    end = in_.find("\r\n\r\n");
  }
  auto reply = parse_head(in_.substr(0, end));
  in_.erase(0, end + 4);
  const auto length = head_only ? 0 : std::stoul("0" + reply.header("content-length"));
  while (in_.size() < length && fill(until)) {
  }
  reply.body = in_.substr(0, length);
  in_.erase(0, reply.body.size());
  return reply;
}

std::string RawClient::read_some(std::size_t count_max, std::chrono::milliseconds wait) {
  if (in_.empty()) {
    if (!wait_readable(wait)) return "";
    std::string bytes(count_max, '\0');
    const auto count = receive(bytes.data(), bytes.size());
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return bytes;
  }
  auto bytes = in_.substr(0, count_max);
  in_.erase(0, bytes.size());
  return bytes;
}

bool RawClient::is_closed_within(std::chrono::milliseconds wait) {
  const auto until = Clock::now() + wait;
  while (fill(until)) in_.clear();
  return Clock::now() < until;
}

Reply call(const Endpoint& server, const std::string& method, const std::string& target,
           const Headers& headers, const std::string& body) {
  RawClient client(server);
  std::string text = method + " " + target + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n";
  for (const auto& [name, value] : headers) text += name + ": " + value + "\r\n";
  if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  client.send(text + "\r\n" + body);
  return client.read_reply(method == "HEAD");
}

std::string multipart(const std::vector<std::pair<std::string, std::string>>& parts) {
  std::string body;
  for (const auto& [name, bytes] : parts) {
    body += "--edge\r\nContent-Disposition: form-data; name=\"" + name +
            "\"; filename=\"fw.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n" + bytes + "\r\n";
  }
  return body + "--edge--\r\n";
}

}  // namespace ota::tests
