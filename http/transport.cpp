#include "http/transport.hpp"

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "http/dialogue.hpp"
#include "http/lanes.hpp"
#include "http/replies.hpp"
#include "http/request_head.hpp"

namespace ota::http {
namespace {

using Clock = Connection::Clock;

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
  return descriptors > 2 * kOthers ? std::min(fleet::kHttpConnectionsMax, descriptors - kOthers) : kOthers;
}

}  // namespace

Transport::Transport(const ServerOptions& options, Api& api)
    : options_(options),
      answers_(options.answer_timeout, static_cast<std::size_t>(std::max(1, options.queue_max)),
               [this](std::unique_ptr<Connection> connection, const AnswerForm& form, Response response) {
                 write_answer(std::move(connection), form, std::move(response));
               }),
      dialogue_(std::make_unique<Dialogue>(options, api, answers_, stopping_)),
      pool_(lane_limits(options), [this](WorkerPool::Job job) { serve(std::move(job)); }),
      poller_(transfer_limits(options), connections_max(),
              [this](std::unique_ptr<Connection> connection, Poller::Ready ready) {
                take(std::move(connection), ready);
              }) {}

Transport::~Transport() {
  stop();
}

fleet::Expected<int> Transport::start() {
  if (!options_.tls.certificate.empty()) {
    auto tls = TlsServer::open(options_.tls);
    if (!tls) return tl::unexpected(tls.error());
    tls_ = std::move(*tls);
  }
  const auto listening = dialogue_->listen();
  if (!listening) return tl::unexpected(listening.error());
  listening_ = listening->fd;
  answers_.start();
  poller_.start(listening_, tls_.get());
  return listening->port;
}

void Transport::stop() {
  if (stopping_.exchange(true)) return;
  poller_.stop();
  answers_.stop(kStopWait);
  if (!pool_.stop(kStopWait)) {
    spdlog::info("http: cutting transfers under way");
    const std::lock_guard lock(active_mutex_);
    for (const auto* connection : active_) ::shutdown(connection->fd(), SHUT_RDWR);
  }
  while (!pool_.stop(kStopWait)) spdlog::warn("http: waiting for requests under way");
  if (listening_ >= 0) ::close(listening_);
}

// A request's head is there: on the poller's thread.
void Transport::take(std::unique_ptr<Connection> connection, Poller::Ready ready) {
  if (ready == Poller::Ready::plain_http_on_tls) {
    refuse(std::move(connection), error_reply(400, "this port speaks HTTPS; use https:// in the URL"));
    return;
  }
  if (ready == Poller::Ready::head_too_long) {
    refuse(std::move(connection),
           error_reply(431, "the request's head is larger than " +
                                std::to_string(fleet::kRequestHeadBytesMax) + " bytes"));
    return;
  }
  if (auto refusal = prepare_head(*connection)) {
    refuse(std::move(connection), std::move(*refusal));
    return;
  }
  const Lane lane = lane_of(connection->buffered());
  if (lane == Lane::device && is_whole_request(connection->buffered())) {
    auto outcome = dialogue_->serve(*connection, Connection::Patience::never_waits);
    if (outcome.ticket) {
      answers_.attach(outcome.ticket, std::move(connection), std::move(outcome.form));
    } else if (outcome.goes_on) {
      poller_.park(std::move(connection));
    } else {
      poller_.drain(std::move(connection));
    }
    return;
  }
  auto job = pool_.submit({std::move(connection), lane, {}});
  if (job.connection)
    refuse(std::move(job.connection), error_reply(503, "too many requests of this kind at once"));
}

void Transport::serve(WorkerPool::Job job) {
  if (Clock::now() - job.submitted_at > options_.answer_timeout) {
    refuse(std::move(job.connection), error_reply(503, "the service is overloaded"));
    return;
  }
  auto& connection = *job.connection;
  while (true) {
    std::unique_lock lock(active_mutex_);
    active_.insert(&connection);
    lock.unlock();
    auto outcome = dialogue_->serve(connection);
    lock.lock();
    active_.erase(&connection);
    lock.unlock();
    if (outcome.ticket) {
      answers_.attach(outcome.ticket, std::move(job.connection), std::move(outcome.form));
      return;
    }
    if (!outcome.goes_on) {
      poller_.drain(std::move(job.connection));
      return;
    }
    // Neither a client that never pauses nor one that reads slowly must keep the others out.
    if (pool_.has_waiting(job.lane) || connection.has_output()) break;
    if (connection.head() == Connection::Head::partial) (void)connection.wait_readable(kNextRequestWait);
    if (connection.fill() != Connection::Head::whole) break;
    if (auto refusal = prepare_head(connection)) {
      refuse(std::move(job.connection), std::move(*refusal));
      return;
    }
    if (lane_of(connection.buffered()) != job.lane) break;
  }
  poller_.park(std::move(job.connection));
}

void Transport::refuse(std::unique_ptr<Connection> connection, Response response) {
  AnswerForm form;
  form.closes = true;
  write_answer(std::move(connection), form, std::move(response));
}

// Does not wait for the client: what its side does not take at once leaves by the poller.
void Transport::write_answer(std::unique_ptr<Connection> connection, const AnswerForm& form,
                             Response response) {
  const bool closes = form.closes || stopping_;
  std::string text = "HTTP/1.1 " + std::to_string(response.status) + " ";
  text += reason_phrase(response.status);
  text += "\r\nContent-Type: " + response.content_type + "\r\nX-Content-Type-Options: nosniff\r\n";
  for (const auto& [name, value] : response.headers) {
    text.append(name).append(": ").append(value).append("\r\n");
  }
  if (closes) text += "Connection: close\r\n";
  if (!closes && form.is_http10) text += "Connection: keep-alive\r\n";
  text += "Content-Length: " + std::to_string(response.body.size()) + "\r\n\r\n";
  if (!form.head_only) text += response.body;
  const bool sent = connection->write(text.data(), text.size()) >= 0 && connection->flush_now();
  if (!form.logged.empty()) {
    const auto took = std::chrono::duration<double, std::milli>(Clock::now() - form.began_at).count();
    spdlog::debug("http: {} {} -> {} in {:.1f} ms", connection->peer(), form.logged, response.status, took);
  }
  if (!sent) return;
  if (closes) {
    poller_.drain(std::move(connection));
  } else {
    poller_.park(std::move(connection));
  }
}

}  // namespace ota::http
