#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ota::http {

class TlsServer;
class TlsSession;

/// What a client's verified certificate says.
struct TlsClient {
  std::string name;    ///< its CN; empty unless there is exactly one, of 1 to 64 bytes without a NUL
  std::string serial;  ///< as fleet::parse_serial answers it
};

/// How long a connection may take over what.
struct TransferLimits {
  std::chrono::milliseconds keep_alive{5000};
  std::chrono::milliseconds io_timeout{5000};
  std::chrono::milliseconds request_timeout{20000};
  std::int64_t bytes_per_second_min = 256;
  std::chrono::milliseconds rate_window{60000};
};

/// One client's socket, plain or under TLS, with what was read from it and what is to be written. Belongs to
/// one thread at a time; it is handed between the poller and a worker. Closes the socket at the end.
class Connection {
 public:
  using Clock = std::chrono::steady_clock;

  /// `tls`: what begins with a handshake; nullptr for plain HTTP. It outlives the connection.
  Connection(int fd, std::string peer, const TransferLimits& limits, const TlsServer* tls = nullptr);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] const std::string& peer() const { return peer_; }
  /// What the client's verified certificate says; empty without one.
  [[nodiscard]] const TlsClient& client() const { return client_; }

  /// Under TLS, until shake_hands() has answered done.
  [[nodiscard]] bool is_shaking_hands() const { return tls_server_ != nullptr; }
  enum class Handshake { done, waits, is_plain_http, failed };
  /// Goes on with the handshake, without waiting; costs processor time. is_plain_http: the client has begun
  /// to speak HTTP; the connection is a plain one from now on.
  [[nodiscard]] Handshake shake_hands();
  [[nodiscard]] bool is_tls() const { return tls_ != nullptr; }

  enum class Head { partial, whole, too_long, closed };
  /// Reads what has arrived, without waiting, up to a whole request head.
  [[nodiscard]] Head fill();
  /// The same question about what is in memory already.
  [[nodiscard]] Head head();
  [[nodiscard]] std::string_view buffered() const { return std::string_view(in_).substr(in_at_); }
  /// Puts `text` in place of `size` bytes of buffered(), from `at` on.
  void replace_input(std::size_t at, std::size_t size, std::string_view text);
  /// Whether something to read arrives within `wait`.
  [[nodiscard]] bool wait_readable(std::chrono::milliseconds wait) const;
  /// Whether bytes that the socket no longer has wait to be read by fill().
  [[nodiscard]] bool has_decrypted() const;
  /// What the socket has to be ready for before the connection can go on: POLLIN or POLLOUT.
  [[nodiscard]] short awaits() const;

  /// Whether reading waits for the client, within the limits; otherwise what would have to wait fails.
  enum class Patience { waits, never_waits };
  /// From now on the request's head and body must arrive within request_timeout.
  void begin_request(Patience patience = Patience::waits);
  /// From now on only the minimum rate counts: an image is on its way, in or out.
  void begin_transfer();

  /// As recv: bytes read, 0 when the client has closed, -1 on an error or when a limit is reached.
  [[nodiscard]] ssize_t read(char* to, std::size_t size);
  /// Collects an answer until flush_now(); during a transfer sends at once. -1 on an error or limit.
  [[nodiscard]] ssize_t write(const char* from, std::size_t size);
  /// Sends what was collected, without waiting, and keeps what the client's side does not take yet. False on
  /// an error.
  [[nodiscard]] bool flush_now();
  /// Whether an answer waits until the client's side takes it.
  [[nodiscard]] bool has_output() const { return !out_.empty(); }
  /// Whether the client's side has taken something since the last call.
  [[nodiscard]] bool took_more();
  /// Says that nothing more comes.
  void end_output();
  /// Forgets what was collected.
  void discard_output() { out_.clear(); }

  [[nodiscard]] bool timed_out() const { return timed_out_; }
  /// When the poller gives it up; kept by the poller.
  Clock::time_point expires_at{};
  bool is_watched = false;  ///< known to the poller's epoll; kept by the poller

  /// When the first byte of the head, or of the handshake, has come.
  [[nodiscard]] Clock::time_point head_began_at() const { return head_began_at_; }

 private:
  [[nodiscard]] bool flush(int flags = 0);
  // As recv and send without waiting. The one place where plain and TLS part, once per piece.
  [[nodiscard]] ssize_t receive_now(char* to, std::size_t size);
  [[nodiscard]] ssize_t send_now(const char* from, std::size_t size, int flags);
  [[nodiscard]] ssize_t receive(char* to, std::size_t size);
  [[nodiscard]] ssize_t send(const char* from, std::size_t size, int flags);
  [[nodiscard]] bool wait(short events);
  [[nodiscard]] bool is_too_slow(Clock::time_point now);
  [[nodiscard]] std::int64_t moved_bytes() const;

  const int fd_;
  const std::string peer_;
  TlsClient client_;
  const TlsServer* tls_server_;  // while hands are shaken
  std::unique_ptr<TlsSession> tls_;
  const TransferLimits& limits_;

  std::string in_;
  std::size_t in_at_ = 0;  // before it: consumed
  std::size_t searched_to_ = 0;
  Clock::time_point head_began_at_{};
  std::string out_;

  Clock::time_point deadline_{};
  bool transfer_ = false;
  bool timed_out_ = false;
  Patience patience_ = Patience::waits;
  Clock::time_point window_began_at_{};
  std::int64_t window_began_bytes_ = 0;
  std::int64_t received_bytes_ = 0;
  std::int64_t sent_bytes_ = 0;
  std::int64_t taken_bytes_ = 0;
};

}  // namespace ota::http
