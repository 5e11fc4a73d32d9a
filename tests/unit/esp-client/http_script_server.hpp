#pragma once
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace ota::device::tests {

struct Request {
  std::string line;  // "GET /x HTTP/1.1"
  std::string head;
  std::string body;

  [[nodiscard]] bool has(const std::string& text) const { return head.find(text) != std::string::npos; }
};

// An HTTP server on a free port of the loopback that answers with exactly the bytes it is told, however wrong
// they are, and closes. One connection at a time.
class HttpScriptServer {
 public:
  using Answer = std::function<std::string(const Request&)>;

  explicit HttpScriptServer(Answer answer)
      : answer_(std::move(answer)), listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_, generic, length) != 0 || listen(listener_, 64) != 0 ||
        getsockname(listener_, generic, &length) != 0) {
      throw std::runtime_error("no port for the test server");
    }
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] { run(); });
  }
  ~HttpScriptServer() {
    stopping_ = true;
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  HttpScriptServer(const HttpScriptServer&) = delete;
  HttpScriptServer& operator=(const HttpScriptServer&) = delete;

  /// From now on of every answer beyond 1000 bytes one byte per `pause`.
  void drip(std::chrono::milliseconds pause) { drip_ms_ = static_cast<int>(pause.count()); }

  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] std::vector<Request> requests() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return requests_;
  }

  static std::string response(const std::string& status_and_headers, const std::string& body,
                              long long length = -1) {
    return "HTTP/1.1 " + status_and_headers + "\r\nContent-Length: " +
           std::to_string(length < 0 ? static_cast<long long>(body.size()) : length) + "\r\n\r\n" + body;
  }

 private:
  void run() {
    while (!stopping_) {
      const int peer = accept(listener_, nullptr, nullptr);
      if (peer < 0) continue;
      const Request request = read_request(peer);
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        requests_.push_back(request);
      }
      send_all(peer, answer_(request));
      close(peer);
    }
  }

  static Request read_request(int peer) {
    std::string text;
    char piece[4096];
    const auto more = [&] {
      const ssize_t got = recv(peer, piece, sizeof piece, 0);
      if (got > 0) text.append(piece, static_cast<std::size_t>(got));
      return got > 0;
    };
    while (text.find("\r\n\r\n") == std::string::npos) {
      if (!more()) break;
    }
    Request request;
    const std::size_t end = text.find("\r\n\r\n");
    request.head = text.substr(0, end);
    request.line = text.substr(0, text.find("\r\n"));
    const std::size_t at = request.head.find("Content-Length: ");
    const std::size_t length = at == std::string::npos ? 0 : std::stoul(request.head.substr(at + 16));
    while (end != std::string::npos && text.size() < end + 4 + length && more()) {
    }
    if (end != std::string::npos) request.body = text.substr(end + 4);
    return request;
  }

  void send_all(int peer, const std::string& bytes) const {
    constexpr std::size_t kAtOnce = 1000;
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const bool drips = drip_ms_ > 0 && sent >= kAtOnce;
      if (drips) std::this_thread::sleep_for(std::chrono::milliseconds(drip_ms_));
      const std::size_t left = bytes.size() - sent;
      const std::size_t piece = drips ? 1 : drip_ms_ > 0 ? std::min(left, kAtOnce) : left;
      const ssize_t count = send(peer, bytes.data() + sent, piece, MSG_NOSIGNAL);
      if (count <= 0) return;
      sent += static_cast<std::size_t>(count);
    }
  }

  Answer answer_;
  int listener_;
  std::string url_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> drip_ms_{0};
  std::mutex mutex_;
  std::vector<Request> requests_;
  std::thread thread_;
};

}  // namespace ota::device::tests
