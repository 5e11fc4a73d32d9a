#include "http/connection.hpp"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "fleet/limits.hpp"
#include "http/tls_session.hpp"

namespace ota::http {
namespace {

constexpr std::size_t kReadBytes = 4096;
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr char kHandshakeRecord = 22;  // RFC 8446 section 5.1

int as_poll_timeout(Connection::Clock::duration wait) {
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
  return static_cast<int>(std::clamp<std::int64_t>(milliseconds, 0, 60'000));
}

bool is_not_ready(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

}  // namespace

Connection::Connection(int fd, std::string peer, const TransferLimits& limits, const TlsServer* tls)
    : fd_(fd), peer_(std::move(peer)), tls_server_(tls), limits_(limits) {}

Connection::~Connection() {
  tls_.reset();
  ::close(fd_);
}

Connection::Handshake Connection::shake_hands() {
  if (!tls_) {
    head_began_at_ = Clock::now();
    char first = 0;
    const auto count = ::recv(fd_, &first, 1, MSG_DONTWAIT | MSG_PEEK);
    if (count < 0 && is_not_ready(errno)) return Handshake::waits;
    if (count <= 0) return Handshake::failed;
    if (first >= 'A' && first <= 'Z') {  // of a method
      tls_server_ = nullptr;
      return Handshake::is_plain_http;
    }
    if (first != kHandshakeRecord) return Handshake::failed;
    tls_ = std::make_unique<TlsSession>(*tls_server_, fd_);
  }
  switch (tls_->shake_hands()) {
    case TlsSession::Step::waits:
      return Handshake::waits;
    case TlsSession::Step::failed:
      return Handshake::failed;
    case TlsSession::Step::done:
      break;
  }
  client_ = tls_->client();
  tls_server_ = nullptr;
  return Handshake::done;
}

Connection::Head Connection::head() {
  const auto found = in_.find(kHeadEnd, std::max(in_at_, searched_to_));
  if (found != std::string::npos && found - in_at_ <= fleet::kRequestHeadBytesMax) return Head::whole;
  // The end may lie across two reads.
  searched_to_ = in_.size() < kHeadEnd.size() ? 0 : in_.size() - kHeadEnd.size() + 1;
  return in_.size() - in_at_ > fleet::kRequestHeadBytesMax ? Head::too_long : Head::partial;
}

Connection::Head Connection::fill() {
  if (in_at_ > 0) {
    in_.erase(0, in_at_);
    in_at_ = 0;
    searched_to_ = 0;
  }
  while (true) {
    const auto state = head();
    if (state != Head::partial) return state;
    const auto old_size = in_.size();
    in_.resize(old_size + kReadBytes);
    const auto count = receive_now(in_.data() + old_size, kReadBytes);
    in_.resize(old_size + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count > 0 && old_size == 0) head_began_at_ = Clock::now();
    if (count > 0 || (count < 0 && errno == EINTR)) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Head::partial;
    return Head::closed;
  }
}

void Connection::replace_input(std::size_t at, std::size_t size, std::string_view text) {
  in_.replace(in_at_ + at, size, text);
  searched_to_ = 0;
}

bool Connection::has_decrypted() const {
  return tls_ && tls_->has_input();
}

short Connection::awaits() const {
  return (tls_ ? tls_->waits_to_write() : has_output()) ? POLLOUT : POLLIN;
}

bool Connection::wait_readable(std::chrono::milliseconds wait) const {
  if (has_decrypted()) return true;
  pollfd waiting{fd_, POLLIN, 0};
  return ::poll(&waiting, 1, static_cast<int>(wait.count())) > 0;
}

void Connection::begin_request(Patience patience) {
  patience_ = patience;
  // Bytes behind this request belong to the next one, which began no earlier.
  head_began_at_ = Clock::now();
  deadline_ = head_began_at_ + limits_.request_timeout;
  transfer_ = false;
  timed_out_ = false;
}

void Connection::begin_transfer() {
  if (transfer_) return;
  transfer_ = true;
  window_began_at_ = Clock::now();
  window_began_bytes_ = moved_bytes();
}

ssize_t Connection::read(char* to, std::size_t size) {
  if (in_at_ < in_.size()) {
    const auto count = std::min(size, in_.size() - in_at_);
    std::memcpy(to, in_.data() + in_at_, count);
    in_at_ += count;
    return static_cast<ssize_t>(count);
  }
  if (!flush()) return -1;
  if (size >= kReadBytes) return receive(to, size);
  // Small reads are served from memory: the library asks for single bytes.
  in_at_ = 0;
  searched_to_ = 0;
  in_.resize(kReadBytes);
  const auto count = receive(in_.data(), kReadBytes);
  in_.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  return count > 0 ? read(to, size) : count;
}

ssize_t Connection::receive_now(char* to, std::size_t size) {
  return tls_ ? tls_->read(to, size) : ::recv(fd_, to, size, MSG_DONTWAIT);
}

ssize_t Connection::send_now(const char* from, std::size_t size, int flags) {
  return tls_ ? tls_->write(from, size) : ::send(fd_, from, size, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
}

ssize_t Connection::receive(char* to, std::size_t size) {
  while (true) {
    const auto count = receive_now(to, size);
    if (count > 0) received_bytes_ += count;
    if (count >= 0) return count;
    if (errno == EINTR) continue;
    if (!is_not_ready(errno) || !wait(awaits())) return -1;
  }
}

ssize_t Connection::write(const char* from, std::size_t size) {
  if (transfer_ && size > 0) {
    // Straight from the map to the kernel: a page that a shrunken file no longer has is then an error of the
    // call, where a copy of our own would be a fatal signal.
    return flush(MSG_MORE) ? send(from, size, 0) : -1;
  }
  out_.append(from, size);
  return static_cast<ssize_t>(size);
}

bool Connection::flush(int flags) {
  std::size_t sent = 0;
  while (sent < out_.size()) {
    const auto count = send(out_.data() + sent, out_.size() - sent, flags);
    if (count < 0) return false;
    sent += static_cast<std::size_t>(count);
  }
  out_.clear();
  return true;
}

ssize_t Connection::send(const char* from, std::size_t size, int flags) {
  while (true) {
    const auto count = send_now(from, size, flags);
    if (count > 0) sent_bytes_ += count;
    if (count >= 0) return count;
    if (errno == EINTR) continue;
    if (!is_not_ready(errno) || !wait(tls_ ? awaits() : short{POLLOUT})) return -1;
  }
}

bool Connection::flush_now() {
  std::size_t sent = 0;
  bool is_taken = true;
  while (is_taken && sent < out_.size()) {
    const auto count = send_now(out_.data() + sent, out_.size() - sent, 0);
    if (count < 0 && !is_not_ready(errno)) return false;
    is_taken = count >= 0 || errno == EINTR;
    sent += static_cast<std::size_t>(std::max<ssize_t>(count, 0));
  }
  sent_bytes_ += static_cast<std::int64_t>(sent);
  out_.erase(0, sent);
  return true;
}

bool Connection::took_more() {
  const auto moved = moved_bytes();
  return moved > std::exchange(taken_bytes_, moved);
}

void Connection::end_output() {
  if (tls_) tls_->end();
  ::shutdown(fd_, SHUT_WR);
}

bool Connection::wait(short events) {
  if (patience_ == Patience::never_waits) return false;
  const auto began_at = Clock::now();
  auto now = began_at;
  while (true) {
    // A transfer is looked at now and then, so that the rate is judged while nothing moves at all.
    const auto until = transfer_
                           ? std::min(window_began_at_ + limits_.rate_window, now + std::chrono::seconds(1))
                           : std::min(deadline_, began_at + limits_.io_timeout);
    pollfd waiting{fd_, events, 0};
    const int ready = ::poll(&waiting, 1, as_poll_timeout(until - now));
    now = Clock::now();
    timed_out_ = transfer_ ? is_too_slow(now) : ready == 0 && now >= until;
    if (timed_out_ || (ready < 0 && errno != EINTR)) return false;
    if (ready > 0) return true;
  }
}

bool Connection::is_too_slow(Clock::time_point now) {
  const auto elapsed = now - window_began_at_;
  if (limits_.bytes_per_second_min == 0 || elapsed < limits_.rate_window) return false;
  const auto moved = moved_bytes();
  const auto seconds = std::chrono::duration<double>(elapsed).count();
  const bool slow = static_cast<double>(moved - window_began_bytes_) <
                    static_cast<double>(limits_.bytes_per_second_min) * seconds;
  window_began_at_ = now;
  window_began_bytes_ = moved;
  return slow;
}

std::int64_t Connection::moved_bytes() const {
  // What the peer's side has taken, not what our kernel holds for it.
  int unsent = 0;
  if (::ioctl(fd_, SIOCOUTQ, &unsent) != 0) unsent = 0;
  // Under TLS a record counts as it leaves, not only once it has left as a whole.
  return tls_ ? tls_->received_bytes() + tls_->sent_bytes() - unsent : received_bytes_ + sent_bytes_ - unsent;
}

}  // namespace ota::http
