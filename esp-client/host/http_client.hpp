#pragma once
#include <curl/curl.h>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "esp-client/core/download_rules.hpp"
#include "esp-client/host/event_loop.hpp"

namespace ota::device::host {

// Who started a transfer. Called from EventLoop::run_once only.
class TransferSink {
 public:
  // The head is complete. False: drop the transfer, nothing more is called.
  [[nodiscard]] virtual bool on_head(const ResponseHead& head) = 0;
  [[nodiscard]] virtual bool on_body(const std::uint8_t* bytes, std::size_t count) = 0;
  // Ended; `problem` is empty when the server closed it in good order.
  virtual void on_end(std::string_view problem) = 0;

 protected:
  ~TransferSink() = default;
};

struct HttpOptions {
  std::string ca_file;                     // for https; empty: the system's
  std::uint64_t rate_bytes_per_s_max = 0;  // 0: as fast as it comes
  std::uint64_t chunk_bytes = 0;           // size of one read; 0: the library's
  std::uint32_t connect_timeout_s = 10;
};

// By which a device shows a server who it is; what is empty is not shown.
struct Credentials {
  std::string token;      // as `Authorization: Bearer`
  std::string cert_file;  // client certificate
  std::string key_file;   // its key
};

// All transfers of the process on libcurl's multi interface. One thread.
class HttpClient final : public FdHandler {
 public:
  HttpClient(EventLoop& loop, const HttpOptions& options);  // throws std::runtime_error
  virtual ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // One transfer, owned by whoever started it; destroying it stops it.
  class Transfer;

  void on_fd(int fd, std::uint32_t epoll_events) override;
  // Drives libcurl's timers; call at least every deadline and often enough (tens of ms).
  void poll();

 private:
  friend class Transfer;
  static int on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* socket_data);
  void finish_transfers();

  EventLoop& loop_;
  HttpOptions options_;
  CURLM* multi_;
  std::set<Transfer*> paced_;  // transfers that may wait for their rate
};

class HttpClient::Transfer {
 public:
  Transfer(HttpClient& client, TransferSink& sink) : client_(client), sink_(sink) {}
  ~Transfer() { stop(); }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Shown with every further request.
  void authorize(Credentials credentials) { credentials_ = std::move(credentials); }
  // Any transfer under way is stopped first. `timeout_s` 0: none.
  void get(const std::string& url, std::uint64_t offset_bytes, std::uint32_t timeout_s);
  void post_json(const std::string& url, std::string_view body, std::uint32_t timeout_s);
  void stop();
  [[nodiscard]] bool busy() const { return easy_ != nullptr; }

 private:
  friend class HttpClient;
  void prepare(const std::string& url, std::uint32_t timeout_s);
  void launch();
  bool take_head();
  [[nodiscard]] bool over_rate(std::size_t bytes);
  void resume_when_due();
  void ended(CURLcode code);
  static std::size_t header_line(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t body_piece(char* data, std::size_t size, std::size_t count, void* self);

  HttpClient& client_;
  TransferSink& sink_;
  CURL* easy_ = nullptr;
  curl_slist* headers_ = nullptr;
  Credentials credentials_;
  std::string body_;
  std::string content_range_;
  std::string checksum_;
  std::uint32_t retry_after_s_ = 0;
  bool head_taken_ = false;
  bool dropped_ = false;
  bool paused_ = false;
  std::uint64_t next_piece_ms_ = 0;  // no byte before, or the rate would be exceeded
};

}  // namespace ota::device::host
