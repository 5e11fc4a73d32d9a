#pragma once

#include <httplib.h>

#include <atomic>
#include <memory>
#include <optional>

#include "http/answer_queue.hpp"
#include "http/api.hpp"
#include "http/httplib_request.hpp"
#include "http/routes.hpp"

namespace ota::http {

/// One request on one connection: the library reads it and writes the answer; route, key and framing are
/// tested here, before a body is read. Of the library's server only this is used: connections, threads and
/// time limits are ours. serve() is thread safe.
class Dialogue : private httplib::Server {
 public:
  /// `closing`: no connection goes on while it is set.
  Dialogue(const ServerOptions& options, Api& api, AnswerQueue& answers, const std::atomic<bool>& closing);

  struct Listening {
    int fd = -1;
    int port = 0;
  };
  /// A bound, listening, non-blocking socket. `unavailable` when the address cannot be bound.
  [[nodiscard]] fleet::Expected<Listening> listen();

  struct Outcome {
    bool goes_on = false;                         ///< answered, and the connection may carry another request
    std::shared_ptr<AnswerQueue::Ticket> ticket;  ///< set: the answer comes later; attach the connection
    AnswerForm form;                              ///< of that answer
  };
  /// Serves the request whose head `connection` holds; waits for its body and for the client to take the
  /// answer, unless it must not: then a client that leaves its answers lying is cut.
  [[nodiscard]] Outcome serve(Connection& connection,
                              Connection::Patience patience = Connection::Patience::waits);

 private:
  void install_handlers();
  void install_routes();
  [[nodiscard]] std::optional<Response> preflight(const httplib::Request& request) const;
  [[nodiscard]] std::optional<Response> refuse_body(const httplib::Request& request) const;
  void answer(const httplib::Request& from, const httplib::ContentReader* reader, httplib::Response& to);
  void answer_error(const httplib::Request& from, httplib::Response& to);
  void finish(const httplib::Request& from, httplib::Response& to) const;
  [[nodiscard]] Request::Later open_ticket(const httplib::Request& from);

  const ServerOptions options_;
  Api& api_;
  AnswerQueue& answers_;
  const std::atomic<bool>& closing_;
};

}  // namespace ota::http
