#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "http/connection.hpp"

namespace ota::http {

/// Shakes hands with TLS clients on a few threads of its own, in the order in which they come: signatures
/// cost processor time, and neither the poller nor a request waits behind them. Between two steps a
/// connection waits elsewhere, without a thread. Thread safe.
class Handshakes {
 public:
  /// Called after each step, on a thread of these.
  using OnStep = std::function<void(std::unique_ptr<Connection> connection, Connection::Handshake outcome)>;

  /// Beyond `waiting_max` a connection that comes is closed.
  Handshakes(std::size_t waiting_max, OnStep on_step);
  ~Handshakes();

  /// The next step of a connection of which something has arrived.
  void submit(std::unique_ptr<Connection> connection);
  /// Ends the threads and closes what waits.
  void stop();

 private:
  void work();

  const std::size_t waiting_max_;
  const OnStep on_step_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Connection>> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace ota::http
