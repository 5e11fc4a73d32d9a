#include "http/dialogue.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>

#include "fleet/ids.hpp"
#include "fleet/limits.hpp"
#include "http/client_address.hpp"
#include "http/params.hpp"
#include "http/replies.hpp"

namespace ota::http {
namespace {

using Clock = Connection::Clock;

static_assert(CPPHTTPLIB_REQUEST_URI_MAX_LENGTH == fleet::kRequestLineBytesMax);
static_assert(CPPHTTPLIB_HEADER_MAX_LENGTH == fleet::kRequestLineBytesMax);
static_assert(CPPHTTPLIB_HEADER_MAX_COUNT == fleet::kRequestHeadersMax);

constexpr int kListenBacklog = 1024;
// Multipart headers and boundaries around an image.
constexpr std::uint64_t kMultipartOverheadBytes = 65536;

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

void log_request(const std::string& peer, const httplib::Request& request, int status,
                 Clock::time_point began_at) {
  if (!spdlog::should_log(spdlog::level::debug)) return;
  const auto took = std::chrono::duration<double, std::milli>(Clock::now() - began_at).count();
  spdlog::debug("http: {} {} {} -> {} in {:.1f} ms", peer, request.method, fleet::printable(request.path),
                status, took);
}

// `problem` is the errno of a bind that failed.
std::string why_not(const std::string& host, int problem) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (code != 0) return "HOST is no address or name: " + std::string(::gai_strerror(code));
  ::freeaddrinfo(found);
  if (problem == EADDRNOTAVAIL) return "HOST is no address of this machine";
  const std::string said = std::strerror(problem);
  return problem == EADDRINUSE ? said + "; is another program using the port?" : said;
}

// Who tells requests apart by their path as it stands in the request (a proxy's rule, lane_of) must not be
// fooled by another way of writing it.
std::optional<Response> refuse_path(const httplib::Request& request, const RouteMatch& match) {
  const std::string_view raw = std::string_view(request.target).substr(0, request.target.find('?'));
  const auto slashes = [](std::string_view path) { return std::count(path.begin(), path.end(), '/'); };
  if (slashes(request.path) > slashes(raw) || request.path.find('\0') != std::string::npos) {
    return error_reply(400, "the path holds a percent-encoded slash or NUL; no name in it may have one");
  }
  if (match.route == nullptr || find_route(request.method, raw).route == match.route) return std::nullopt;
  return error_reply(400, "write " + std::string(match.route->pattern) + " as it is, with % in names alone");
}

std::string nothing_at(const std::string& path) {
  auto sentence = "there is nothing at " + fleet::printable(path);
  if (path.size() < 2 || path.back() != '/') return sentence;
  const auto without = find_route("GET", std::string_view(path).substr(0, path.size() - 1));
  const bool is_known = without.route != nullptr || !without.allow.empty();
  return is_known ? sentence + "; leave out the slash at its end" : sentence;
}

std::size_t json_bytes_max(BodyKind kind) {
  return kind == BodyKind::long_json ? fleet::kLongJsonBytesMax : fleet::kJsonBytesMax;
}

// What is known of the request that a thread serves, while the library calls back into us.
struct Serving {
  Connection* connection = nullptr;
  bool parsed = false;  // head read; false while the library refuses it
  Framing framing;
  bool body_was_read = false;
  bool closes = false;
  bool failed = false;  // a handler has thrown
  RouteMatch match;
  std::string forwarded;  // X-Forwarded-For, where there are proxies to be believed
  std::string actor;
  std::shared_ptr<AnswerQueue::Ticket> ticket;
  AnswerForm form;
};
thread_local Serving* serving = nullptr;

void reply(Response&& response, httplib::Response& to) {
  write_reply(std::move(response), *serving->connection, to);
}

}  // namespace

Dialogue::Dialogue(const ServerOptions& options, Api& api, AnswerQueue& answers,
                   const std::atomic<bool>& closing)
    : options_(options), api_(api), answers_(answers), closing_(closing) {
  // The library's limit is for the longest of all; each route's own is tested by refuse_body and read_body.
  set_payload_max_length(
      std::max(static_cast<std::size_t>(options_.upload_bytes_max) + kMultipartOverheadBytes,
               fleet::kLongJsonBytesMax));
  install_handlers();
  install_routes();
}

fleet::Expected<Dialogue::Listening> Dialogue::listen() {
  set_socket_options([](socket_t socket) {
    // Not SO_REUSEPORT, the library's default: two servers would silently share the port.
    const int on = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  });
  errno = 0;
  const int port = options_.port == 0 ? bind_to_any_port(options_.host)
                                      : (bind_to_port(options_.host, options_.port) ? options_.port : -1);
  if (port < 0) {
    const int problem = errno;
    return fleet::fail(fleet::ErrorKind::unavailable, "cannot listen on " + options_.host + ":" +
                                                          std::to_string(options_.port) + ": " +
                                                          why_not(options_.host, problem));
  }
  // Asked again for a longer queue than the library's 5, and never to block the poller.
  ::listen(svr_sock_, kListenBacklog);
  ::fcntl(svr_sock_, F_SETFL, ::fcntl(svr_sock_, F_GETFL) | O_NONBLOCK);
  return Listening{svr_sock_, port};
}

void Dialogue::install_handlers() {
  set_pre_routing_handler([this](const httplib::Request& from, httplib::Response& to) {
    if (auto refusal = preflight(from)) {
      reply(std::move(*refusal), to);
      return HandlerResponse::Handled;
    }
    if (serving->match.route->body != BodyKind::none && serving->framing.has_body) {
      return HandlerResponse::Unhandled;
    }
    answer(from, nullptr, to);
    return HandlerResponse::Handled;
  });
  set_expect_100_continue_handler([this](const httplib::Request& from, httplib::Response& to) {
    auto refusal = preflight(from);
    if (!refusal) return static_cast<int>(httplib::StatusCode::Continue_100);
    const int status = refusal->status;
    reply(std::move(*refusal), to);
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
    serving->failed = true;
    serving->closes = true;
    reply(error_reply(500, "internal error; the server's log says more"), to);
  });
  set_post_routing_handler([this](const httplib::Request& from, httplib::Response& to) { finish(from, to); });
  set_logger([](const httplib::Request& from, const httplib::Response& to) {
    if (serving->ticket) return;
    log_request(serving->connection->peer(), from, to.status, serving->form.began_at);
  });
}

// The library only reads bodies of requests whose pattern it knows; which route it is was found by
// find_route.
void Dialogue::install_routes() {
  const auto with_body = [this](const httplib::Request& from, httplib::Response& to,
                                const httplib::ContentReader& reader) { answer(from, &reader, to); };
  for (const auto& route : routes()) {
    if (route.body == BodyKind::none) continue;
    std::string pattern(route.pattern);  // {name} is :name to the library
    std::replace(pattern.begin(), pattern.end(), '{', ':');
    pattern.erase(std::remove(pattern.begin(), pattern.end(), '}'), pattern.end());
    if (route.method == "PATCH") {
      Patch(pattern, with_body);
    } else {
      Post(pattern, with_body);
    }
  }
}

Dialogue::Outcome Dialogue::serve(Connection& connection, Connection::Patience patience) {
  Serving here;
  here.connection = &connection;
  here.form.began_at = Clock::now();
  if (!options_.trusted_proxies.empty()) here.forwarded = forwarded_for(connection.buffered());
  serving = &here;
  connection.begin_request(patience);
  ConnectionStream stream(connection);
  bool closed = false;  // the library's guess; finish() reads the Connection header whole
  bool answered = false;
  try {
    answered =
        process_request(stream, connection.peer(), 0, "", 0, false, closed, [](httplib::Request& from) {
          serving->parsed = true;
          serving->framing = read_framing(from);
          // Ranges are ours: the library would apply them to every answer.
          from.ranges.clear();
        });
    // What the library wrote for a request that is answered later was a stand-in.
    if (here.ticket && !here.failed) {
      connection.discard_output();
    } else {
      answered = connection.flush_now() && answered;
    }
  } catch (const std::exception& error) {
    spdlog::error("http: {}", error.what());
    here.failed = true;
  }
  serving = nullptr;
  if (here.ticket && here.failed) answers_.give_up(*std::exchange(here.ticket, nullptr));
  here.form.closes = here.closes;
  return {answered && !here.form.closes, std::move(here.ticket), std::move(here.form)};
}

std::optional<Response> Dialogue::preflight(const httplib::Request& request) const {
  serving->match = find_route(request.method, request.path);
  const auto& match = serving->match;
  if (auto refusal = refuse_path(request, match)) return refusal;
  if (match.route == nullptr && match.allow.empty()) return error_reply(404, nothing_at(request.path));
  if (match.route == nullptr) {
    auto refusal = error_reply(405, "use " + match.allow + " here");
    refusal.headers.emplace_back("Allow", match.allow);
    return refusal;
  }
  if (const auto needed = needed_key(match.route->role)) {
    const auto client = client_of(serving->connection->peer(), serving->forwarded, options_.trusted_proxies);
    auto actor = api_.gate().admit(HttplibRequest(request, *serving->connection), client, *needed);
    if (!actor) return std::move(actor.error());
    serving->actor = std::move(*actor);
  }
  if (match.route->stray == Stray::refused) {
    const auto stray = unknown_params(request.params, match.route->query);
    if (!stray.empty()) return error_reply(422, stray.front());
  }
  return refuse_body(request);
}

std::optional<Response> Dialogue::refuse_body(const httplib::Request& request) const {
  const auto& framing = serving->framing;
  const auto kind = serving->match.route->body;
  if (!framing.problem.empty()) return error_reply(400, framing.problem);
  if (kind == BodyKind::none) return std::nullopt;
  const bool is_json = kind != BodyKind::multipart;
  const auto bytes_max =
      is_json ? std::uint64_t{json_bytes_max(kind)}
              : static_cast<std::uint64_t>(options_.upload_bytes_max) + kMultipartOverheadBytes;
  if (framing.length_bytes > bytes_max) {
    return error_reply(
        413, is_json ? "the body is larger than " + std::to_string(bytes_max) + " bytes"
                     : "the image is larger than " + std::to_string(options_.upload_bytes_max) + " bytes");
  }
  if (!is_json) return std::nullopt;
  if (request.is_multipart_form_data()) return error_reply(415, "send the body as JSON");
  if (!framing.has_body && kind != BodyKind::optional_json)
    return error_reply(400, "the body is missing; send JSON");
  return std::nullopt;
}

void Dialogue::answer(const httplib::Request& from, const httplib::ContentReader* reader,
                      httplib::Response& to) {
  HttplibRequest request(from, *serving->connection);
  request.set_body(reader, &to);
  request.set_later([this, &from] { return open_ticket(from); });
  request.captured = serving->match.captured;
  request.actor = serving->actor;
  request.client = client_of(serving->connection->peer(), serving->forwarded, options_.trusted_proxies);
  const auto& route = *serving->match.route;
  if (route.stray == Stray::told) request.warnings = unknown_params(from.params, route.query);
  const bool reads_json = route.body != BodyKind::none && route.body != BodyKind::multipart;
  if (reads_json && serving->framing.has_body) {
    if (const auto read = request.read_body(json_bytes_max(route.body)); !read) {
      reply(error_reply(read.error()), to);
      return;
    }
  }
  auto response = (api_.*route.handle)(request);
  serving->body_was_read = request.body_was_read();
  reply(std::move(response), to);
}

Request::Later Dialogue::open_ticket(const httplib::Request& from) {
  serving->ticket = answers_.open();
  if (!serving->ticket) return {};
  auto& form = serving->form;
  form.head_only = from.method == "HEAD";
  form.is_http10 = from.version == "HTTP/1.0";
  if (spdlog::should_log(spdlog::level::debug)) form.logged = from.method + " " + fleet::printable(from.path);
  return answers_.later(serving->ticket);
}

// Answers that the library begins itself: a head it cannot read, too long a URI, an odd Range.
void Dialogue::answer_error(const httplib::Request& from, httplib::Response& to) {
  if (!to.body.empty() || serving->parsed) return;
  if (to.status == 416 && (from.method == "GET" || from.method == "HEAD")) {
    // A Range that cannot be read counts as absent (RFC 9110 section 14.2); the head is read otherwise.
    serving->parsed = true;
    serving->framing = read_framing(from);
    if (auto refusal = preflight(from)) {
      reply(std::move(*refusal), to);
    } else {
      answer(from, nullptr, to);
    }
    return;
  }
  const char* detail = to.status == 414 ? "the URL is too long" : "the request cannot be read as HTTP/1.1";
  reply(error_reply(to.status == 414 ? 414 : 400, detail), to);
}

void Dialogue::finish(const httplib::Request& from, httplib::Response& to) const {
  serving->closes = serving->closes || closing_ || !serving->parsed || client_closes(from) ||
                    (serving->framing.has_body && !serving->body_was_read);
  to.headers.erase("Keep-Alive");
  to.headers.erase("Connection");
  to.set_header("X-Content-Type-Options", "nosniff");  // no image is a page, whatever it begins with
  if (serving->closes) {
    to.set_header("Connection", "close");
  } else if (from.version == "HTTP/1.0") {
    to.set_header("Connection", "keep-alive");
  }
  if (to.status == 304) to.headers.erase("Content-Length");
}

}  // namespace ota::http
