#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "http/connection.hpp"

struct ssl_st;
struct bio_st;

namespace ota::http {

class TlsServer;

/// TLS over one connection's socket, the server's side. No call waits. One thread at a time.
class TlsSession {
 public:
  /// `fd` stays the caller's and outlives the session, as does `server`.
  TlsSession(const TlsServer& server, int fd);
  /// Tells the client that nothing more comes.
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  enum class Step { done, waits, failed };
  /// Goes on with the handshake as far as what has arrived allows. A step with a signature costs about a
  /// millisecond of processor time.
  [[nodiscard]] Step shake_hands();

  /// As recv and send without waiting: -1 with errno EAGAIN when the socket has to be ready first, for what
  /// waits_to_write() says; 0 from read when the client has ended the session. A client whose certificate has
  /// been revoked meanwhile gets ECONNRESET.
  [[nodiscard]] ssize_t read(char* to, std::size_t size);
  [[nodiscard]] ssize_t write(const char* from, std::size_t size);
  [[nodiscard]] bool waits_to_write() const { return waits_to_write_; }
  /// Whether bytes are at hand that the socket no longer has.
  [[nodiscard]] bool has_input() const;
  /// Tells the client that nothing more comes; once, and only when a whole record can still be written.
  void end();

  /// Of the verified client certificate; empty without one. After the handshake.
  [[nodiscard]] TlsClient client() const;
  /// Over the socket, encrypted.
  [[nodiscard]] std::int64_t received_bytes() const { return received_bytes_; }
  [[nodiscard]] std::int64_t sent_bytes() const { return sent_bytes_; }

 private:
  struct Socket;  // what OpenSSL reads from and writes to
  [[nodiscard]] ssize_t outcome(int returned, std::size_t count);
  [[nodiscard]] bool is_trusted();
  [[nodiscard]] bool resumed_in_time() const;

  const TlsServer& server_;
  const int fd_;
  std::uint64_t
      trust_revision_;  // read before the session is made: never newer than what it verifies against
  ssl_st* const ssl_;
  std::int64_t received_bytes_ = 0;
  std::int64_t sent_bytes_ = 0;
  bool waits_to_write_ = false;
  bool is_open_ = false;      // hands shaken, and no error since
  bool write_begun_ = false;  // a record is on its way in part
};

}  // namespace ota::http
