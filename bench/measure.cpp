#include "bench/measure.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace ota::bench {

void Latencies::add(Clock::duration duration) {
  milliseconds_.push_back(std::chrono::duration<float, std::milli>(duration).count());
  sorted_ = false;
}

double Latencies::percentile_ms(double percent) {
  if (milliseconds_.empty()) return 0;
  if (!sorted_) std::sort(milliseconds_.begin(), milliseconds_.end());
  sorted_ = true;
  const auto last = static_cast<double>(milliseconds_.size() - 1);
  return static_cast<double>(milliseconds_[static_cast<std::size_t>(last * percent / 100)]);
}

Address parse_address(const std::string& text) {
  const auto scheme = text.find("://");
  const auto begin = scheme == std::string::npos ? 0 : scheme + 3;
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon < begin) die("'" + text + "' is not host:port");
  const int port = std::atoi(text.c_str() + colon + 1);
  if (port < 1 || port > 65535) die("'" + text + "' has no port from 1 to 65535");
  return {text.substr(begin, colon - begin), static_cast<std::uint16_t>(port)};
}

int connect_to(const Address& address, int receive_buffer_bytes) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found) != 0)
    die("the host " + address.host + " is not known");
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die(std::string("no socket: ") + std::strerror(errno));
  // Before connecting: the window is agreed on then.
  if (receive_buffer_bytes > 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  if (connect(fd, found->ai_addr, found->ai_addrlen) != 0)
    die("cannot connect to " + address.host + ':' + std::to_string(address.port) + ": " +
        std::strerror(errno));
  freeaddrinfo(found);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return fd;
}

bool send_all(int fd, const std::string& bytes) {
  return send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void print_figures(std::initializer_list<std::pair<const char*, double>> figures) {
  const char* separator = "{";
  for (const auto& [name, value] : figures) {
    std::printf("%s\"%s\":%.10g", separator, name, value);
    separator = ",";
  }
  std::printf("}\n");
  std::fflush(stdout);
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void die(const std::string& sentence) {
  std::fprintf(stderr, "%s\n", sentence.c_str());
  std::exit(1);
}

}  // namespace ota::bench
