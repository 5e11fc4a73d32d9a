// Asks /health again and again while slow clients hold downloads open.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "bench/measure.hpp"

namespace ota::bench {
namespace {

using namespace std::chrono_literals;

// The kernel doubles it; a larger window would let it swallow the whole image at once.
constexpr int kSlowReceiveBufferBytes = 2048;
constexpr auto kSlowTick = 100ms;
constexpr auto kProbePause = 5ms;

struct Options {
  std::string url;
  std::string path;
  int slow = 300;
  int slow_bytes_per_s = 2000;
  double seconds = 5;
};

/// Clients that read a little every tick, each at the same low rate, from a thread of their own.
class SlowClients {
 public:
  SlowClients(const Options& options, const Address& address) : options_(options) {
    const auto request = "GET " + options.path + " HTTP/1.1\r\nHost: bench\r\n\r\n";
    for (int i = 0; i < options.slow; ++i) {
      fds_.push_back(connect_to(address, kSlowReceiveBufferBytes));
      if (!send_all(fds_.back(), request)) die("the service refused a slow client");
    }
    reader_ = std::thread([this] { read_slowly(); });
  }

  ~SlowClients() {
    stopping_ = true;
    reader_.join();
    for (const int fd : fds_) close(fd);
  }

  SlowClients(const SlowClients&) = delete;
  SlowClients& operator=(const SlowClients&) = delete;

  [[nodiscard]] int cut() const { return cut_; }
  [[nodiscard]] double bytes_per_second() const {
    return static_cast<double>(read_bytes_) / seconds_since(start_) / std::max(1, options_.slow);
  }

 private:
  void read_slowly() {
    const auto share = static_cast<std::size_t>(options_.slow_bytes_per_s) / (1000ms / kSlowTick);
    std::vector<char> bytes(share);
    std::vector<bool> gone(fds_.size());
    auto next = Clock::now();
    while (!stopping_) {
      for (std::size_t i = 0; i < fds_.size(); ++i) {
        if (gone[i]) continue;
        const auto count = recv(fds_[i], bytes.data(), bytes.size(), 0);
        if (count > 0) read_bytes_ += static_cast<std::size_t>(count);
        if (count == 0 || (count < 0 && errno != EAGAIN)) {
          gone[i] = true;
          ++cut_;
        }
      }
      next += kSlowTick;
      std::this_thread::sleep_until(next);
    }
  }

  const Options options_;
  const Clock::time_point start_ = Clock::now();
  std::vector<int> fds_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> cut_{0};
  std::atomic<std::size_t> read_bytes_{0};
  std::thread reader_;
};

/// A connection of its own, as a monitor makes it: the way through accept is part of the answer.
void probe(const Address& address, Latencies& latencies) {
  const auto start = Clock::now();
  const int fd = connect_to(address);
  if (!send_all(fd, "GET /health HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"))
    die("/health: the connection is gone");
  std::string answer;
  std::array<char, 4096> bytes;
  while (true) {
    pollfd wait{fd, POLLIN, 0};
    if (::poll(&wait, 1, 10000) <= 0) die("/health has not answered for 10 s");
    const auto count = recv(fd, bytes.data(), bytes.size(), 0);
    if (count <= 0) break;
    answer.append(bytes.data(), static_cast<std::size_t>(count));
  }
  close(fd);
  if (answer.rfind("HTTP/1.1 200", 0) != 0) die("/health answered: " + answer);
  latencies.add(Clock::now() - start);
}

int run(const Options& options) {
  raise_descriptor_limit();
  const auto address = parse_address(options.url);
  const SlowClients slow(options, address);
  if (options.slow > 0) std::this_thread::sleep_for(1s);  // until their windows are full
  Latencies latencies;
  const auto start = Clock::now();
  while (seconds_since(start) < options.seconds) {
    probe(address, latencies);
    std::this_thread::sleep_for(kProbePause);
  }
  print_figures({{"p50_ms", latencies.percentile_ms(50)},
                 {"p99_ms", latencies.percentile_ms(99)},
                 {"max_ms", latencies.percentile_ms(100)},
                 {"probes", static_cast<double>(latencies.count())},
                 {"slow_bytes_per_s", slow.bytes_per_second()},
                 {"slow_cut", slow.cut()}});
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace ota::bench

int main(int argc, char** argv) {
  ota::bench::Options options;
  CLI::App app("The response time of /health beside slow downloads");
  app.add_option("--url", options.url, "http://host:port")->required();
  app.add_option("--path", options.path, "what the slow clients download")->required();
  app.add_option("--slow", options.slow, "slow clients; 0: idle")->check(CLI::Range(0, 10000));
  app.add_option("--slow-bytes-per-s", options.slow_bytes_per_s)->check(CLI::Range(10, 1000000));
  app.add_option("--seconds", options.seconds)->check(CLI::Range(0.1, 3600.0));
  CLI11_PARSE(app, argc, argv);
  return ota::bench::run(options);
}
