#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ota::tests {

/// An answer as it came over the wire.
struct Reply {
  int status = 0;  ///< 0: the connection was closed without an answer, or nothing came in time
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;

  [[nodiscard]] std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
  [[nodiscard]] bool closes() const { return header("connection") == "close"; }
};

/// A client that sends exactly the bytes it is told, right or wrong. One thread.
class RawClient {
 public:
  /// `receive_bytes` > 0 makes the kernel's receive buffer small, for slow readers.
  explicit RawClient(int port, int receive_bytes = 0);
  ~RawClient();
  RawClient(RawClient&& other) noexcept;
  RawClient& operator=(RawClient&&) = delete;

  /// False when the server has closed.
  bool send(std::string_view bytes);
  /// Reads one answer; `head_only` for HEAD and 304.
  Reply read_reply(bool head_only = false, std::chrono::milliseconds wait = std::chrono::seconds(20));
  /// At most `count_max` bytes of what is there; empty when closed or nothing came in time.
  std::string read_some(std::size_t count_max, std::chrono::milliseconds wait = std::chrono::seconds(20));
  /// Whether the server closes within `wait`; throws away what comes before.
  bool is_closed_within(std::chrono::milliseconds wait);

 private:
  bool fill(std::chrono::steady_clock::time_point until);
  int fd_ = -1;
  std::string in_;
};

using Headers = std::map<std::string, std::string>;

/// One request on a connection of its own. A body gets its Content-Length.
Reply call(int port, const std::string& method, const std::string& target, const Headers& headers = {},
           const std::string& body = "");

/// `parts` as a multipart body with the boundary "edge": name and bytes of each.
std::string multipart(const std::vector<std::pair<std::string, std::string>>& parts);

}  // namespace ota::tests
