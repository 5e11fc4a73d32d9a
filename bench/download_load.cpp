// Downloads one URL over and over on keep-alive connections and throws the bytes away.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "bench/measure.hpp"

namespace ota::bench {
namespace {

// Large enough that the reader's system calls do not decide the result.
constexpr std::size_t kReadBytes = 256 * 1024;

struct Options {
  std::string url;
  std::string path;
  int connections = 16;
  double seconds = 3;
};

struct Connection {
  int fd = -1;
  Clock::time_point sent_at;
  std::size_t body_bytes_left = 0;
  bool in_body = false;
};

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options),
        address_(parse_address(options.url)),
        request_("GET " + options.path + " HTTP/1.1\r\nHost: bench\r\n\r\n"),
        buffer_(kReadBytes) {}

  int run() {
    const int poll = epoll_create1(EPOLL_CLOEXEC);
    connections_.resize(static_cast<std::size_t>(options_.connections));
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      connections_[i].fd = connect_to(address_);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      epoll_ctl(poll, EPOLL_CTL_ADD, connections_[i].fd, &event);
    }
    const auto start = Clock::now();
    for (auto& connection : connections_) request(connection);
    std::array<epoll_event, 64> events{};
    while (seconds_since(start) < options_.seconds) {
      const int ready = epoll_wait(poll, events.data(), static_cast<int>(events.size()), 10000);
      if (ready == 0) die("the server has not sent anything for 10 s");
      for (int i = 0; i < ready; ++i) receive(connections_[events[static_cast<std::size_t>(i)].data.u64]);
    }
    print_figures({{"rate", static_cast<double>(body_bytes_) / 1e6 / seconds_since(start)},
                   {"p50_ms", latencies_.percentile_ms(50)},
                   {"p99_ms", latencies_.percentile_ms(99)},
                   {"downloads", static_cast<double>(latencies_.count())}});
    return EXIT_SUCCESS;
  }

 private:
  void request(Connection& connection) {
    connection.sent_at = Clock::now();
    connection.in_body = false;
    if (!send_all(connection.fd, request_)) die("the server has closed a connection");
  }

  void receive(Connection& connection) {
    const auto count = recv(connection.fd, buffer_.data(), buffer_.size(), 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) die("the server has closed a connection");
    auto body = static_cast<std::size_t>(count);
    if (!connection.in_body) body -= take_head(connection, {buffer_.data(), body});
    body_bytes_ += body;
    if (body > connection.body_bytes_left) die("the server sent more than its Content-Length");
    connection.body_bytes_left -= body;
    if (connection.body_bytes_left > 0) return;
    latencies_.add(Clock::now() - connection.sent_at);
    request(connection);
  }

  // Answers the head's size. Both servers write a head in one piece.
  static std::size_t take_head(Connection& connection, std::string_view bytes) {
    constexpr std::string_view kLength = "content-length: ";
    std::string head(bytes.substr(0, std::min<std::size_t>(bytes.size(), 4096)));
    const auto end = head.find("\r\n\r\n");
    if (end == std::string::npos || head.rfind("HTTP/1.1 200", 0) != 0) die("unexpected answer: " + head);
    std::transform(head.begin(), head.begin() + static_cast<std::ptrdiff_t>(end), head.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto length = head.find(kLength);
    if (length > end) die("an answer without Content-Length: " + head.substr(0, end));
    connection.body_bytes_left = std::strtoul(head.c_str() + length + kLength.size(), nullptr, 10);
    connection.in_body = true;
    return end + 4;
  }

  const Options options_;
  const Address address_;
  const std::string request_;
  std::vector<char> buffer_;
  std::vector<Connection> connections_;
  Latencies latencies_;
  std::size_t body_bytes_ = 0;
};

}  // namespace
}  // namespace ota::bench

int main(int argc, char** argv) {
  ota::bench::Options options;
  CLI::App app("Downloads as fast as the server can, in MB/s");
  app.add_option("--url", options.url, "http://host:port")->required();
  app.add_option("--path", options.path)->required();
  app.add_option("--connections", options.connections)->check(CLI::Range(1, 10000));
  app.add_option("--seconds", options.seconds)->check(CLI::Range(0.1, 3600.0));
  CLI11_PARSE(app, argc, argv);
  return ota::bench::Load(options).run();
}
