#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "http/connection.hpp"
#include "http/handshakes.hpp"

namespace ota::http {

/// Holds every connection that has nothing to do: it waits here, without a thread, until a whole request head
/// is there, or until its client takes the rest of an answer. So a thousand idle or half-sent requests,
/// unread answers or handshakes cost a thousand descriptors and no more. Also accepts new connections. Thread
/// safe.
class Poller {
 public:
  enum class Ready { request, head_too_long, plain_http_on_tls };
  /// Called with a connection that has a whole head, or none that could be served; must not block.
  using OnReady = std::function<void(std::unique_ptr<Connection> connection, Ready ready)>;

  Poller(const TransferLimits& limits, std::size_t connections_max, OnReady on_ready);
  ~Poller();

  /// `listening` stays the caller's, who closes it after stop(). `tls`: what its connections begin with;
  /// nullptr for plain HTTP.
  void start(int listening, const TlsServer* tls);
  /// Ends the thread and closes all that wait. park() and drain() afterwards close at once.
  void stop();

  /// Waits until what was collected has been sent, at most io_timeout without a byte, and then for a request;
  /// one that is in memory already has its turn after those that came before. Beyond connections_max the one
  /// that would expire first is closed.
  void park(std::unique_ptr<Connection> connection);
  /// Sends what was collected, says that nothing more comes, then throws away what the client still sends,
  /// for a short while: closing with unread bytes would reset the connection and could destroy the answer on
  /// its way.
  void drain(std::unique_ptr<Connection> connection);
  [[nodiscard]] std::size_t count() const;

 private:
  struct Entry {
    std::unique_ptr<Connection> connection;
    bool draining = false;
  };

  void run();
  void watch(int fd);
  void accept_some();
  void advance(Entry entry);
  void after_handshake(std::unique_ptr<Connection> connection, Connection::Handshake outcome);
  void advance_pipelined();
  void await_reader(Entry entry);
  void add(Entry entry);
  [[nodiscard]] Entry take(int fd);
  void close_expired();
  void make_room();

  const TransferLimits limits_;
  const std::size_t connections_max_;
  const OnReady on_ready_;
  int epoll_ = -1;
  int wake_ = -1;  // an eventfd that ends the wait
  int listening_ = -1;
  const TlsServer* tls_ = nullptr;
  std::unique_ptr<Handshakes> handshakes_;  // with TLS
  bool accepting_ = true;                   // false for a moment after running out of descriptors
  std::atomic<bool> stopping_{false};
  std::thread thread_;

  mutable std::mutex mutex_;
  std::unordered_map<int, Entry> waiting_;
  std::vector<std::unique_ptr<Connection>> pipelined_;  // the next request is in memory
};

}  // namespace ota::http
