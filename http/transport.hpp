#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "http/answer_queue.hpp"
#include "http/api.hpp"
#include "http/poller.hpp"
#include "http/server.hpp"
#include "http/tls_server.hpp"
#include "http/worker_pool.hpp"

namespace ota::http {

class Dialogue;

/// The way of a request: it waits in the poller until its head is there; a device's message that has arrived
/// whole is read on the poller's thread, everything else on a worker's; what needs a commit is answered by
/// the answer queue. The connection then goes back to the poller.
class Transport {
 public:
  Transport(const ServerOptions& options, Api& api);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  [[nodiscard]] fleet::Expected<int> start();
  void stop();
  /// As Server::certificate_ends_at.
  [[nodiscard]] std::optional<fleet::Time> certificate_ends_at() const {
    return tls_ ? std::optional(tls_->certificate_ends_at()) : std::nullopt;
  }

 private:
  void take(std::unique_ptr<Connection> connection, Poller::Ready ready);
  void serve(WorkerPool::Job job);
  void refuse(std::unique_ptr<Connection> connection, Response response);
  void write_answer(std::unique_ptr<Connection> connection, const AnswerForm& form, Response response);

  const ServerOptions options_;
  std::unique_ptr<TlsServer> tls_;  // before all that hold connections; nullptr: plain HTTP
  std::atomic<bool> stopping_{false};
  int listening_ = -1;
  std::mutex active_mutex_;
  std::set<const Connection*> active_;  // on workers, to be cut at the end
  AnswerQueue answers_;
  std::unique_ptr<Dialogue> dialogue_;
  WorkerPool pool_;
  Poller poller_;
};

}  // namespace ota::http
