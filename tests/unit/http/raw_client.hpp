#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct ssl_st;
struct ssl_session_st;

namespace ota::tests {

/// What a TLS client brings with it.
struct ClientTls {
  std::string ca;           ///< PEM file that the server is verified with
  std::string certificate;  ///< of the client; empty: none
  std::string key;
  int version_max = 0;      ///< as OpenSSL counts; 0: the newest
  bool has_tickets = true;  ///< else sessions are resumed by their id, as in BearSSL
  std::string protocols;    ///< ALPN, each with its length before it
};

/// Where a server listens; with `tls`, what a client needs there.
struct Endpoint {
  Endpoint(int number) : port(number) {}  // NOLINT(google-explicit-constructor): a plain port is one
  Endpoint(int number, const ClientTls* client) : port(number), tls(client) {}
  int port;
  const ClientTls* tls = nullptr;
};

/// An answer as it came over the wire.
struct Reply {
  int status = 0;  ///< 0: the connection was closed without an answer, or nothing came in time
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;

  [[nodiscard]] std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
  [[nodiscard]] bool closes() const { return header("connection") == "close"; }
};

/// A client that sends exactly the bytes it is told, right or wrong. One thread may send while another reads.
class RawClient {
 public:
  /// `receive_bytes` > 0 makes the kernel's receive buffer small, for slow readers.
  /// `session`: of an earlier TLS connection, to be resumed.
  explicit RawClient(const Endpoint& server, int receive_bytes = 0, ssl_session_st* session = nullptr);
  ~RawClient();
  RawClient(RawClient&& other) noexcept;
  RawClient& operator=(RawClient&&) = delete;

  /// Whether hands were shaken; always so without TLS.
  [[nodiscard]] bool is_connected() const { return connected_; }
  /// For questions about the TLS session; nullptr without TLS.
  [[nodiscard]] ssl_st* tls() const { return tls_.get(); }

  /// False when the server has closed.
  bool send(std::string_view bytes);
  /// Reads one answer; `head_only` for HEAD and 304.
  Reply read_reply(bool head_only = false, std::chrono::milliseconds wait = std::chrono::seconds(20));
  /// At most `count_max` bytes of what is there; empty when closed or nothing came in time.
  std::string read_some(std::size_t count_max, std::chrono::milliseconds wait = std::chrono::seconds(20));
  /// Whether the server closes within `wait`; throws away what comes before.
  bool is_closed_within(std::chrono::milliseconds wait);

 private:
  struct FreeTls {
    void operator()(ssl_st* tls) const;
  };
  void shake_hands(const ClientTls& with, ssl_session_st* session);
  [[nodiscard]] bool wait_readable(std::chrono::milliseconds wait) const;
  [[nodiscard]] ssize_t receive(char* to, std::size_t size);
  [[nodiscard]] int try_tls(const std::function<int()>& step);
  bool fill(std::chrono::steady_clock::time_point until);

  int fd_ = -1;
  std::unique_ptr<ssl_st, FreeTls> tls_;
  std::unique_ptr<std::mutex> tls_mutex_ = std::make_unique<std::mutex>();  // a session is not thread safe
  bool connected_ = true;
  std::string in_;
};

using Headers = std::map<std::string, std::string>;

/// One request on a connection of its own. A body gets its Content-Length.
Reply call(const Endpoint& server, const std::string& method, const std::string& target,
           const Headers& headers = {}, const std::string& body = "");

/// `parts` as a multipart body with the boundary "edge": name and bytes of each.
std::string multipart(const std::vector<std::pair<std::string, std::string>>& parts);

}  // namespace ota::tests
