#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "sql/connect_options.hpp"

namespace ota::sql {

class Session;

/// Connections for many threads that ask seldom (admin routes, /health, /metrics). They are opened on first
/// use, given out one to a thread, and replaced when broken. Thread safe.
class ConnectionPool {
 public:
  /// `size`: most connections at once (1..1000); a caller waits at most `wait_max` for a free one.
  ConnectionPool(const ConnectOptions& options, std::size_t size,
                 std::chrono::milliseconds wait_max = std::chrono::milliseconds(2000));
  ~ConnectionPool();
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  /// Gives its connection back when it goes.
  class Lease {
   public:
    Lease(ConnectionPool* pool, std::unique_ptr<Session> session);
    ~Lease();
    Lease(Lease&& other) noexcept;
    Lease& operator=(Lease&&) = delete;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    [[nodiscard]] explicit operator bool() const { return session_ != nullptr; }
    [[nodiscard]] Session& session() const { return *session_; }

   private:
    ConnectionPool* pool_;
    std::unique_ptr<Session> session_;
  };

  /// A lease that is false when no connection came free within `wait_max`.
  [[nodiscard]] Lease take();
  [[nodiscard]] const ConnectOptions& options() const;

 private:
  struct State;
  void give_back(std::unique_ptr<Session> session);
  std::unique_ptr<State> state_;
};

}  // namespace ota::sql
