#include "http/poller.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "fleet/limits.hpp"

namespace ota::http {
namespace {

using Clock = Connection::Clock;

constexpr int kTickMs = 250;
constexpr int kAcceptedAtOnceMax = 64;
constexpr std::chrono::seconds kDrainFor{2};

std::string text_of(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes =
      address.ss_family == AF_INET6
          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr)
          : static_cast<const void*>(&reinterpret_cast<const sockaddr_in&>(address).sin_addr);
  const char* written = ::inet_ntop(address.ss_family, bytes, text.data(), text.size());
  return written == nullptr ? "?" : written;
}

// Throws away what has arrived; false when the client has closed.
bool discard(int fd) {
  std::array<char, 16384> bytes;
  while (true) {
    const auto count = ::recv(fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (count == 0) return false;
    if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  }
}

}  // namespace

Poller::Poller(const TransferLimits& limits, std::size_t connections_max, OnReady on_ready)
    : limits_(limits),
      connections_max_(connections_max),
      on_ready_(std::move(on_ready)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Poller::~Poller() {
  stop();
  ::close(wake_);
  ::close(epoll_);
}

void Poller::start(int listening, const TlsServer* tls) {
  listening_ = listening;
  tls_ = tls;
  if (tls != nullptr) {
    handshakes_ = std::make_unique<Handshakes>(
        fleet::kWaitingHandshakesMax,
        [this](std::unique_ptr<Connection> connection, Connection::Handshake outcome) {
          after_handshake(std::move(connection), outcome);
        });
  }
  watch(listening);
  watch(wake_);
  thread_ = std::thread([this] { run(); });
}

void Poller::watch(int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
}

void Poller::stop() {
  stopping_ = true;
  ::eventfd_write(wake_, 1);
  if (thread_.joinable()) thread_.join();
  if (handshakes_) handshakes_->stop();
  const std::lock_guard lock(mutex_);
  waiting_.clear();
  pipelined_.clear();
}

std::size_t Poller::count() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

void Poller::park(std::unique_ptr<Connection> connection) {
  if (connection->has_output()) {
    await_reader({std::move(connection), false});
    return;
  }
  if (connection->head() != Connection::Head::partial || connection->has_decrypted()) {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    pipelined_.push_back(std::move(connection));
    ::eventfd_write(wake_, 1);
    return;
  }
  const bool begun = !connection->buffered().empty();
  connection->expires_at =
      begun ? connection->head_began_at() + limits_.request_timeout : Clock::now() + limits_.keep_alive;
  add({std::move(connection), false});
}

void Poller::drain(std::unique_ptr<Connection> connection) {
  if (connection->has_output()) {
    await_reader({std::move(connection), true});
    return;
  }
  connection->end_output();
  connection->expires_at = Clock::now() + kDrainFor;
  add({std::move(connection), true});
}

// No further request is read before the answer has been taken.
void Poller::await_reader(Entry entry) {
  entry.connection->expires_at = Clock::now() + limits_.io_timeout;
  (void)entry.connection->took_more();  // counted from here
  add(std::move(entry));
}

void Poller::add(Entry entry) {
  if (stopping_) return;
  const int fd = entry.connection->fd();
  const bool only_drains = entry.draining && !entry.connection->has_output();
  const auto awaited =
      only_drains ? std::uint32_t{EPOLLIN} : static_cast<std::uint32_t>(entry.connection->awaits());
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= connections_max_) make_room();
  const bool is_watched = std::exchange(entry.connection->is_watched, true);
  waiting_.insert_or_assign(fd, std::move(entry));
  // One event disarms it, so a connection that is handed on needs no call to be left alone.
  static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT);
  epoll_event event{};
  event.events = awaited | EPOLLONESHOT;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_, is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0) waiting_.erase(fd);
}

Poller::Entry Poller::take(int fd) {
  const std::lock_guard lock(mutex_);
  const auto found = waiting_.find(fd);
  if (found == waiting_.end()) return {};
  Entry entry = std::move(found->second);
  waiting_.erase(found);
  return entry;
}

// Called with the lock held.
void Poller::make_room() {
  const auto first = std::min_element(waiting_.begin(), waiting_.end(), [](const auto& a, const auto& b) {
    return a.second.connection->expires_at < b.second.connection->expires_at;
  });
  if (first != waiting_.end()) waiting_.erase(first);
}

void Poller::run() {
  std::array<epoll_event, 256> events{};
  auto tick_at = Clock::now();
  while (!stopping_) {
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), kTickMs);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listening_) {
        accept_some();
      } else if (fd == wake_) {
        eventfd_t times = 0;
        ::eventfd_read(wake_, &times);
        advance_pipelined();
      } else {
        advance(take(fd));
      }
    }
    if (Clock::now() < tick_at) continue;
    tick_at = Clock::now() + std::chrono::milliseconds(kTickMs);
    close_expired();
  }
}

void Poller::accept_some() {
  for (int i = 0; i < kAcceptedAtOnceMax; ++i) {
    sockaddr_storage address{};
    socklen_t length = sizeof(address);
    const int fd = ::accept4(listening_, reinterpret_cast<sockaddr*>(&address), &length, SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) return;
      // Nothing can be opened: ask again at the next tick instead of at once, for ever.
      spdlog::warn("http: out of descriptors, new connections wait");
      ::epoll_ctl(epoll_, EPOLL_CTL_DEL, listening_, nullptr);
      accepting_ = false;
      return;
    }
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    park(std::make_unique<Connection>(fd, text_of(address), limits_, tls_));
  }
}

void Poller::advance_pipelined() {
  std::vector<std::unique_ptr<Connection>> ready;
  {
    const std::lock_guard lock(mutex_);
    ready.swap(pipelined_);
  }
  for (auto& connection : ready) advance({std::move(connection), false});
}

void Poller::advance(Entry entry) {
  if (!entry.connection) return;
  if (entry.connection->has_output()) {
    if (!entry.connection->flush_now()) return;
    if (entry.connection->has_output()) {
      add(std::move(entry));
    } else if (entry.draining) {
      drain(std::move(entry.connection));
    } else {
      park(std::move(entry.connection));
    }
    return;
  }
  if (entry.draining) {
    if (discard(entry.connection->fd())) add(std::move(entry));
    return;
  }
  if (entry.connection->is_shaking_hands()) {
    handshakes_->submit(std::move(entry.connection));
    return;
  }
  switch (entry.connection->fill()) {
    case Connection::Head::closed:
      return;
    case Connection::Head::partial:
      park(std::move(entry.connection));
      return;
    case Connection::Head::whole:
      on_ready_(std::move(entry.connection), Ready::request);
      return;
    case Connection::Head::too_long:
      on_ready_(std::move(entry.connection), Ready::head_too_long);
      return;
  }
}

// On one of the handshakes' threads.
void Poller::after_handshake(std::unique_ptr<Connection> connection, Connection::Handshake outcome) {
  switch (outcome) {
    case Connection::Handshake::done:
      park(std::move(connection));
      return;
    case Connection::Handshake::waits:
      // From the first byte on as a whole, however often it waits.
      connection->expires_at = connection->head_began_at() + limits_.request_timeout;
      add({std::move(connection), false});
      return;
    case Connection::Handshake::is_plain_http:
      on_ready_(std::move(connection), Ready::plain_http_on_tls);
      return;
    case Connection::Handshake::failed:
      // The alert has to reach the client.
      drain(std::move(connection));
      return;
  }
}

void Poller::close_expired() {
  if (!accepting_) {
    watch(listening_);
    accepting_ = true;
  }
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    auto& connection = *at->second.connection;
    const bool expired = connection.expires_at <= now;
    // The kernel calls a socket writable again only once much of its buffer is free.
    const bool is_read = expired && connection.has_output() && connection.took_more();
    if (is_read) connection.expires_at = now + limits_.io_timeout;
    at = expired && !is_read ? waiting_.erase(at) : std::next(at);
  }
}

}  // namespace ota::http
