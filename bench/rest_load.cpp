// Devices that poll: keep-alive connections, each with one request under way, in one epoll loop that costs
// little beside the service it measures.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "bench/measure.hpp"

namespace ota::bench {
namespace {

struct Options {
  std::string url;
  std::string what = "check";
  std::string prefix = "rest-";
  std::string model = "bench";
  int connections = 64;
  int ids = 10000;
  double seconds = 5;
  long requests = 0;  ///< above 0: ends after so many, not after a time
};

struct Connection {
  int fd = -1;
  Clock::time_point sent_at;
  std::string received;
};

class Load {
 public:
  explicit Load(Options options) : options_(std::move(options)), address_(parse_address(options_.url)) {}

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
    start_ = Clock::now();
    for (auto& connection : connections_) send_next(connection);
    std::array<epoll_event, 64> events{};
    while (under_way_ > 0) {
      const int ready = epoll_wait(poll, events.data(), static_cast<int>(events.size()), 10000);
      if (ready == 0) die("the service has not answered for 10 s");
      for (int i = 0; i < ready; ++i) receive(connections_[events[static_cast<std::size_t>(i)].data.u64]);
    }
    const double elapsed_s = seconds_since(start_);
    print_figures({{"rate", static_cast<double>(latencies_.count()) / elapsed_s},
                   {"p50_ms", latencies_.percentile_ms(50)},
                   {"p99_ms", latencies_.percentile_ms(99)},
                   {"requests", static_cast<double>(latencies_.count())}});
    return EXIT_SUCCESS;
  }

 private:
  [[nodiscard]] bool is_over() const {
    return options_.requests > 0 ? sent_ >= options_.requests : seconds_since(start_) >= options_.seconds;
  }

  // Ids in turn, so that requests about one device follow each other. Each further round of reports raises
  // the progress: a repeated one would not have to be written.
  std::string next_request() {
    const auto id = options_.prefix + std::to_string(sent_ % options_.ids);
    const auto round = sent_ / options_.ids;
    if (options_.what == "check") {
      return "GET /api/firmware/check?device_id=" + id + "&device_model=" + options_.model +
             "&current_version=1.0.0 HTTP/1.1\r\nHost: bench\r\n\r\n";
    }
    if (round > 99) die("every device has reported 100 %; take more --ids or fewer --seconds");
    const auto body = "{\"device_id\":\"" + id +
                      "\",\"firmware_version\":\"1.1.0\",\"status\":\"downloading\",\"progress_percent\":" +
                      std::to_string(round + 1) + ",\"error_message\":null}";
    return "POST /api/device/" + id +
           "/update-status HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  void send_next(Connection& connection) {
    const auto request = next_request();
    connection.sent_at = Clock::now();
    if (!send_all(connection.fd, request)) die("the service has closed a connection");
    ++sent_;
    ++under_way_;
  }

  void receive(Connection& connection) {
    std::array<char, 8192> bytes;
    const auto count = recv(connection.fd, bytes.data(), bytes.size(), 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) die("the service has closed a connection; it answered: " + connection.received);
    connection.received.append(bytes.data(), static_cast<std::size_t>(count));
    if (!is_complete(connection.received)) return;
    latencies_.add(Clock::now() - connection.sent_at);
    require_success(connection.received);
    connection.received.clear();
    --under_way_;
    if (!is_over()) send_next(connection);
  }

  static bool is_complete(std::string_view response) {
    const auto header_end = response.find("\r\n\r\n");
    if (header_end == std::string_view::npos) return false;
    const auto length = response.find("Content-Length: ");
    if (length == std::string_view::npos || length > header_end)
      die("an answer without Content-Length: " + std::string(response));
    const auto body_bytes = std::strtoul(response.data() + length + 16, nullptr, 10);
    return response.size() >= header_end + 4 + body_bytes;
  }

  void require_success(std::string_view response) const {
    const auto* wanted = options_.what == "check" ? "\"update_available\":true" : "\"status\":\"ok\"";
    const bool is_ok = response.substr(0, 13) == "HTTP/1.1 200 ";
    if (!is_ok || response.find(wanted) == std::string_view::npos)
      die("an answer without " + std::string(wanted) + ": " + std::string(response));
  }

  const Options options_;
  const Address address_;
  std::vector<Connection> connections_;
  Latencies latencies_;
  Clock::time_point start_;
  long sent_ = 0;
  int under_way_ = 0;
};

}  // namespace
}  // namespace ota::bench

int main(int argc, char** argv) {
  ota::bench::Options options;
  CLI::App app("Checks or reports over REST as fast as they are answered");
  app.add_option("--url", options.url, "http://host:port")->required();
  app.add_option("--what", options.what)->check(CLI::IsMember({"check", "status"}));
  app.add_option("--prefix", options.prefix, "device ids are this and a number");
  app.add_option("--model", options.model);
  app.add_option("--connections", options.connections)->check(CLI::Range(1, 10000));
  app.add_option("--ids", options.ids)->check(CLI::Range(1, 10000000));
  app.add_option("--seconds", options.seconds)->check(CLI::Range(0.1, 3600.0));
  app.add_option("--requests", options.requests, "end after so many requests instead");
  CLI11_PARSE(app, argc, argv);
  return ota::bench::Load(options).run();
}
