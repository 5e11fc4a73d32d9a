#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace ota::bench {

using Clock = std::chrono::steady_clock;

/// Durations of single operations. Not thread safe.
class Latencies {
 public:
  void add(Clock::duration duration);
  [[nodiscard]] std::size_t count() const { return milliseconds_.size(); }
  /// The value in milliseconds that `percent` (0..100) of the operations did not exceed; 0 when there are
  /// none.
  [[nodiscard]] double percentile_ms(double percent);

 private:
  std::vector<float> milliseconds_;
  bool sorted_ = false;
};

struct Address {
  std::string host;
  std::uint16_t port = 0;
};

/// Reads `host:port`, also after `http://` or `mqtt://`. Ends the program with a sentence on anything else.
[[nodiscard]] Address parse_address(const std::string& text);

/// A connected TCP socket that does not block and does not wait to fill packets. `receive_buffer_bytes` above
/// 0 asks for a small receive window. Ends the program with a sentence when the connection fails.
[[nodiscard]] int connect_to(const Address& address, int receive_buffer_bytes = 0);

/// Sends all of it; small requests always fit the socket's buffer. False when the connection is gone.
[[nodiscard]] bool send_all(int fd, const std::string& bytes);

/// Lets the program have as many descriptors as the system allows.
void raise_descriptor_limit();

/// One line of JSON on stdout: what the script that compares the figures reads.
void print_figures(std::initializer_list<std::pair<const char*, double>> figures);

[[nodiscard]] double seconds_since(Clock::time_point start);

[[noreturn]] void die(const std::string& sentence);

}  // namespace ota::bench
