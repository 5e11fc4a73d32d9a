#include "http/transport.hpp"

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "fleet/ids.hpp"
#include "fleet/strict_json.hpp"
#include "http/httplib_request.hpp"
#include "http/lanes.hpp"
#include "http/poller.hpp"
#include "http/replies.hpp"
#include "http/routes.hpp"
#include "http/worker_pool.hpp"

namespace ota::http {
namespace {

using Clock = Connection::Clock;

constexpr int kListenBacklog = 1024;
constexpr std::size_t kConnectionsMax = 8192;
// Multipart headers and boundaries around an image.
constexpr std::uint64_t kMultipartOverheadBytes = 65536;
// A busy client's next request comes at once: waiting this long for it saves a hand-over between threads.
constexpr std::chrono::milliseconds kNextRequestWait{2};
constexpr std::chrono::seconds kStopWait{3};

TransferLimits transfer_limits(const ServerOptions& options) {
  return {options.keep_alive, options.io_timeout, options.request_timeout, options.bytes_per_second_min,
          options.rate_window};
}

// Each connection is a descriptor, and the usual soft limit of 1024 is below what is promised.
std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 65536);
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
    (void)::getrlimit(RLIMIT_NOFILE, &limit);
  }
  return static_cast<std::size_t>(limit.rlim_cur);
}

std::size_t connections_max() {
  constexpr std::size_t kOthers = 256;  // database, broker, images
  const auto descriptors = raise_descriptor_limit();
  return descriptors > 2 * kOthers ? std::min(kConnectionsMax, descriptors - kOthers) : kOthers;
}

bool has_token(std::string_view value, std::string_view token) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  return std::search(value.begin(), value.end(), token.begin(), token.end(), same) != value.end();
}

bool client_closes(const httplib::Request& request) {
  const auto found = request.headers.find("Connection");
  const std::string_view value = found == request.headers.end() ? std::string_view() : found->second;
  return has_token(value, "close") || (request.version == "HTTP/1.0" && !has_token(value, "keep-alive"));
}

// What is known of the request that a thread serves, while the library calls back into us.
struct Serving {
  Connection* connection = nullptr;
  bool parsed = false;  // head read; false while the library refuses it
  Framing framing;
  bool body_was_read = false;
  bool closes = false;
  RouteMatch match;
  Clock::time_point began_at{};
};
thread_local Serving* serving = nullptr;

}  // namespace

class Transport::Impl : private httplib::Server {
 public:
  Impl(const ServerOptions& options, Api& api)
      : options_(options),
        api_(api),
        pool_(lane_limits(options), [this](WorkerPool::Job job) { serve(std::move(job)); }),
        poller_(transfer_limits(options), connections_max(),
                [this](std::unique_ptr<Connection> connection, bool head_too_long) {
                  take(std::move(connection), head_too_long);
                }) {
    install_handlers();
  }
  ~Impl() override { halt(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  fleet::Expected<int> start() {
    set_socket_options([](socket_t socket) {
      // Not SO_REUSEPORT, the library's default: two servers would silently share the port.
      const int on = 1;
      ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    });
    const int port = options_.port == 0 ? bind_to_any_port(options_.host)
                                        : (bind_to_port(options_.host, options_.port) ? options_.port : -1);
    if (port < 0) {
      return fleet::fail(fleet::ErrorKind::unavailable, "cannot listen on " + options_.host + ":" +
                                                            std::to_string(options_.port) +
                                                            "; is another program using the port?");
    }
    // Asked again for a longer queue than the library's 5, and never to block the poller.
    ::listen(svr_sock_, kListenBacklog);
    httplib::detail::set_nonblocking(svr_sock_, true);
    poller_.start(svr_sock_);
    return port;
  }

  void halt() {
    if (stopping_.exchange(true)) return;
    poller_.stop();
    if (!pool_.stop(kStopWait)) {
      spdlog::info("http: cutting transfers under way");
      const std::lock_guard lock(active_mutex_);
      for (const auto* connection : active_) ::shutdown(connection->fd(), SHUT_RDWR);
    }
    while (!pool_.stop(kStopWait)) spdlog::warn("http: waiting for requests under way");
    const auto socket = svr_sock_.exchange(INVALID_SOCKET);
    if (socket != INVALID_SOCKET) httplib::detail::close_socket(socket);
  }

 private:
  void install_handlers();
  void take(std::unique_ptr<Connection> connection, bool head_too_long);
  void serve(WorkerPool::Job job);
  bool serve_one(Connection& connection);
  void refuse(std::unique_ptr<Connection> connection, const Response& response);
  std::optional<Response> preflight(const httplib::Request& request);
  std::optional<Response> refuse_body(const httplib::Request& request);
  void answer(const httplib::Request& from, const httplib::ContentReader* reader, httplib::Response& to);
  void answer_error(const httplib::Request& from, httplib::Response& to);
  void finish_headers(const httplib::Request& from, httplib::Response& to);
  std::uint64_t body_bytes_max(BodyKind kind) const;

  const ServerOptions options_;
  Api& api_;
  std::atomic<bool> stopping_{false};
  std::mutex active_mutex_;
  std::set<const Connection*> active_;
  WorkerPool pool_;
  Poller poller_;
};

void Transport::Impl::install_handlers() {
  set_payload_max_length(static_cast<std::size_t>(options_.upload_bytes_max) + kMultipartOverheadBytes);
  set_pre_routing_handler([this](const httplib::Request& from, httplib::Response& to) {
    if (auto refusal = preflight(from)) {
      write_reply(std::move(*refusal), *serving->connection, to);
      return HandlerResponse::Handled;
    }
    if (serving->match.route->body != BodyKind::none && serving->framing.has_body) {
      return HandlerResponse::Unhandled;
    }
    answer(from, nullptr, to);
    return HandlerResponse::Handled;
  });
  const auto with_body = [this](const httplib::Request& from, httplib::Response& to,
                                const httplib::ContentReader& reader) { answer(from, &reader, to); };
  for (const auto& route : routes()) {
    if (route.body == BodyKind::none) continue;
    // {name} is :name to the library, which only has to agree; the route is found by find_route.
    std::string pattern(route.pattern);
    std::replace(pattern.begin(), pattern.end(), '{', ':');
    pattern.erase(std::remove(pattern.begin(), pattern.end(), '}'), pattern.end());
    if (route.method == "PATCH") {
      Patch(pattern, with_body);
    } else {
      Post(pattern, with_body);
    }
  }
  set_expect_100_continue_handler([this](const httplib::Request& from, httplib::Response& to) {
    auto refusal = preflight(from);
    if (!refusal) return static_cast<int>(httplib::StatusCode::Continue_100);
    const int status = refusal->status;
    write_reply(std::move(*refusal), *serving->connection, to);
    return status;
  });
  set_error_handler([this](const httplib::Request& from, httplib::Response& to) {
    answer_error(from, to);
    return HandlerResponse::Handled;
  });
  set_exception_handler([](const httplib::Request& from, httplib::Response& to, std::exception_ptr thrown) {
    try {
      std::rethrow_exception(std::move(thrown));
    } catch (const std::exception& error) {
      spdlog::error("http: {} {}: {}", from.method, fleet::printable(from.path), error.what());
    } catch (...) {
      spdlog::error("http: {} {}: unknown exception", from.method, fleet::printable(from.path));
    }
    serving->closes = true;
    write_reply(error_reply(500, "internal error; the server's log says more"), *serving->connection, to);
  });
  set_post_routing_handler(
      [this](const httplib::Request& from, httplib::Response& to) { finish_headers(from, to); });
  set_logger([](const httplib::Request& from, const httplib::Response& to) {
    if (!spdlog::should_log(spdlog::level::debug)) return;
    const auto took = std::chrono::duration<double, std::milli>(Clock::now() - serving->began_at).count();
    spdlog::debug("http: {} {} {} -> {} in {:.1f} ms", serving->connection->peer(), from.method,
                  fleet::printable(from.path), to.status, took);
  });
}

// On the poller's thread: a request is there.
void Transport::Impl::take(std::unique_ptr<Connection> connection, bool head_too_long) {
  if (head_too_long) {
    refuse(std::move(connection),
           error_reply(431, "the request's head is larger than " + std::to_string(kHeadBytesMax) + " bytes"));
    return;
  }
  const Lane lane = lane_of(connection->buffered());
  auto job = pool_.submit({std::move(connection), lane, {}});
  if (job.connection)
    refuse(std::move(job.connection), error_reply(503, "too many requests of this kind at once"));
}

// Answers without a worker; small enough to fit the socket's buffer, so it does not block.
void Transport::Impl::refuse(std::unique_ptr<Connection> connection, const Response& response) {
  std::string text = "HTTP/1.1 " + std::to_string(response.status) + " " +
                     httplib::status_message(response.status) + "\r\nContent-Type: application/json\r\n";
  for (const auto& [name, value] : response.headers) text += name + ": " + value + "\r\n";
  text += "Connection: close\r\nContent-Length: " + std::to_string(response.body.size()) + "\r\n\r\n";
  text += response.body;
  (void)::send(connection->fd(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  poller_.drain(std::move(connection));
}

void Transport::Impl::serve(WorkerPool::Job job) {
  if (Clock::now() - job.submitted_at > options_.answer_timeout) {
    refuse(std::move(job.connection), error_reply(503, "the service is overloaded"));
    return;
  }
  auto& connection = *job.connection;
  while (serve_one(connection)) {
    auto head = connection.head();
    if (head == Connection::Head::partial && connection.wait_readable(kNextRequestWait))
      head = connection.fill();
    if (head == Connection::Head::closed) return;
    if (head == Connection::Head::partial) {
      poller_.park(std::move(job.connection));
      return;
    }
    if (head == Connection::Head::too_long || lane_of(connection.buffered()) != job.lane) {
      take(std::move(job.connection), head == Connection::Head::too_long);
      return;
    }
  }
  poller_.drain(std::move(job.connection));
}

// One request; answers whether the connection goes on.
bool Transport::Impl::serve_one(Connection& connection) {
  Serving here;
  here.connection = &connection;
  here.began_at = Clock::now();
  serving = &here;
  {
    const std::lock_guard lock(active_mutex_);
    active_.insert(&connection);
  }
  connection.begin_request();
  ConnectionStream stream(connection);
  bool closed = false;
  bool answered = false;
  try {
    answered =
        process_request(stream, connection.peer(), 0, "", 0, false, closed, [](httplib::Request& from) {
          serving->parsed = true;
          serving->framing = read_framing(from);
          // Ranges are ours: the library would apply them to every answer.
          from.ranges.clear();
        });
    answered = connection.flush() && answered;
  } catch (const std::exception& error) {
    spdlog::error("http: {}", error.what());
  }
  serving = nullptr;
  const std::lock_guard lock(active_mutex_);
  active_.erase(&connection);
  return answered && !closed && !here.closes;
}

std::uint64_t Transport::Impl::body_bytes_max(BodyKind kind) const {
  return kind == BodyKind::multipart
             ? static_cast<std::uint64_t>(options_.upload_bytes_max) + kMultipartOverheadBytes
             : std::uint64_t{fleet::kJsonBytesMax};
}

std::optional<Response> Transport::Impl::preflight(const httplib::Request& request) {
  serving->match = find_route(request.method, request.path);
  const auto& match = serving->match;
  if (match.route == nullptr && match.allow.empty()) {
    return error_reply(404, "there is nothing at " + fleet::printable(request.path));
  }
  if (match.route == nullptr) {
    auto refusal = error_reply(405, "use " + match.allow + " here");
    refusal.headers.emplace_back("Allow", match.allow);
    return refusal;
  }
  if (match.route->role == Role::admin) {
    if (auto refusal = api_.refuse_key(HttplibRequest(request, *serving->connection))) return refusal;
  }
  return refuse_body(request);
}

std::optional<Response> Transport::Impl::refuse_body(const httplib::Request& request) {
  const auto& framing = serving->framing;
  const auto kind = serving->match.route->body;
  if (!framing.problem.empty()) return error_reply(400, framing.problem);
  if (kind == BodyKind::none) return std::nullopt;
  const auto bytes_max = body_bytes_max(kind);
  if (framing.length_bytes > bytes_max) {
    return error_reply(413, "the body is larger than " + std::to_string(bytes_max) + " bytes");
  }
  if (kind == BodyKind::json && request.is_multipart_form_data())
    return error_reply(415, "send the body as JSON");
  if (kind == BodyKind::json && !framing.has_body) return error_reply(400, "the body is missing; send JSON");
  return std::nullopt;
}

void Transport::Impl::answer(const httplib::Request& from, const httplib::ContentReader* reader,
                             httplib::Response& to) {
  HttplibRequest request(from, *serving->connection);
  request.set_body(reader, &to);
  request.captured = serving->match.captured;
  const auto& route = *serving->match.route;
  if (route.body == BodyKind::json) {
    if (const auto read = request.read_body(fleet::kJsonBytesMax); !read) {
      to.headers.clear();
      write_reply(error_reply(read.error()), *serving->connection, to);
      return;
    }
  }
  auto response = (api_.*route.handle)(request);
  serving->body_was_read = request.body_was_read();
  write_reply(std::move(response), *serving->connection, to);
}

// Answers that the library begins itself: a head it cannot read, too long a URI, an odd Range.
void Transport::Impl::answer_error(const httplib::Request& from, httplib::Response& to) {
  if (!to.body.empty() || serving->parsed) return;
  if (to.status == 416 && (from.method == "GET" || from.method == "HEAD")) {
    // A Range that cannot be read counts as absent (RFC 9110 section 14.2); the head is read otherwise.
    serving->parsed = true;
    serving->framing = read_framing(from);
    to.status = -1;
    if (auto refusal = preflight(from)) {
      write_reply(std::move(*refusal), *serving->connection, to);
    } else {
      answer(from, nullptr, to);
    }
    return;
  }
  const char* detail = to.status == 414 ? "the URL is too long" : "the request cannot be read as HTTP/1.1";
  if (to.status == 416) to.status = 400;
  write_reply(error_reply(to.status, detail), *serving->connection, to);
}

void Transport::Impl::finish_headers(const httplib::Request& from, httplib::Response& to) {
  serving->closes = serving->closes || stopping_ || !serving->parsed || client_closes(from) ||
                    (serving->framing.has_body && !serving->body_was_read);
  to.headers.erase("Keep-Alive");
  to.headers.erase("Connection");
  if (serving->closes) {
    to.set_header("Connection", "close");
  } else if (from.version == "HTTP/1.0") {
    to.set_header("Connection", "keep-alive");
  }
  if (to.status == 304) to.headers.erase("Content-Length");
}

Transport::Transport(const ServerOptions& options, Api& api) : impl_(std::make_unique<Impl>(options, api)) {}
Transport::~Transport() = default;
fleet::Expected<int> Transport::start() {
  return impl_->start();
}
void Transport::stop() {
  impl_->halt();
}

}  // namespace ota::http
