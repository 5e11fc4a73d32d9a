#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "http/connection.hpp"
#include "http/exchange.hpp"

namespace ota::http {

/// What of a request matters to its answer.
struct AnswerForm {
  bool closes = false;     ///< the connection ends with the answer
  bool head_only = false;  ///< HEAD
  bool is_http10 = false;  ///< and goes on only when told so
  std::string logged;      ///< method and path; empty when nobody reads the log
  Connection::Clock::time_point began_at{};
};

/// Requests whose answers come later, from other threads: while a device's message waits for its commit, no
/// thread waits with it. One thread writes all the answers, a batch at a time. Thread safe.
class AnswerQueue {
 public:
  /// Writes an answer, on the queue's thread.
  using Write =
      std::function<void(std::unique_ptr<Connection> connection, const AnswerForm& form, Response response)>;

  /// `timeout`: a request is answered 503 after it. At most `pending_max` wait.
  AnswerQueue(std::chrono::milliseconds timeout, std::size_t pending_max, Write write);
  ~AnswerQueue();

  void start();
  /// Waits up to `wait` for the answers that are due, then closes the connections of the others.
  void stop(std::chrono::milliseconds wait);

  /// A request that will be answered: by `later`, once, from any thread, and by `attach` with the connection,
  /// in any order.
  struct Ticket;
  /// nullptr when too many wait.
  [[nodiscard]] std::shared_ptr<Ticket> open();
  [[nodiscard]] Request::Later later(std::shared_ptr<Ticket> ticket) const;
  /// For a ticket that will not be attached.
  void give_up(Ticket& ticket);
  void attach(const std::shared_ptr<Ticket>& ticket, std::unique_ptr<Connection> connection, AnswerForm form);

 private:
  struct Shared;  // outlives the queue while a late answer holds it
  void run();
  void write_one(Ticket& ticket, bool timed_out);

  const std::chrono::milliseconds timeout_;
  const std::size_t pending_max_;
  const Write write_;
  const std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace ota::http
