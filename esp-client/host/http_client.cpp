#include "esp-client/host/http_client.hpp"

#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <vector>

#include "esp-client/host/steady_clock.hpp"

namespace ota::device::host {
namespace {

constexpr std::uint64_t kCatchUpMs = 100;  // a late piece may be made up for, by no more than this

// A slow reader needs a small receive window, or the kernel takes the whole image at once.
int shrink_window(void*, curl_socket_t fd, curlsocktype) {
  const int bytes = 4096;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  return CURL_SOCKOPT_OK;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == '\r' || text.back() == '\n' || text.back() == ' ')) {
    text.remove_suffix(1);
  }
  return text;
}

bool header_value(std::string_view line, std::string_view name, std::string_view& value) {
  if (line.size() <= name.size() || line[name.size()] != ':') return false;
  if (strncasecmp(line.data(), name.data(), name.size()) != 0) return false;
  value = trimmed(line.substr(name.size() + 1));
  return true;
}

}  // namespace

HttpClient::HttpClient(EventLoop& loop, const HttpOptions& options)
    : loop_(loop), options_(options), multi_(curl_multi_init()) {
  if (multi_ == nullptr) throw std::runtime_error("libcurl cannot be started");
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &HttpClient::on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
}

HttpClient::~HttpClient() {
  curl_multi_cleanup(multi_);
}

int HttpClient::on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) {
  auto& client = *static_cast<HttpClient*>(self);
  if (what == CURL_POLL_REMOVE) {
    client.loop_.forget(fd);
    return 0;
  }
  const std::uint32_t in = (what & CURL_POLL_IN) != 0 ? static_cast<std::uint32_t>(EPOLLIN) : 0U;
  const std::uint32_t out = (what & CURL_POLL_OUT) != 0 ? static_cast<std::uint32_t>(EPOLLOUT) : 0U;
  client.loop_.watch(fd, in | out, client);
  return 0;
}

void HttpClient::on_fd(int fd, std::uint32_t epoll_events) {
  int what = 0;
  if ((epoll_events & EPOLLIN) != 0) what |= CURL_CSELECT_IN;
  if ((epoll_events & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
  if ((epoll_events & (EPOLLERR | EPOLLHUP)) != 0) what |= CURL_CSELECT_ERR;
  int running = 0;
  curl_multi_socket_action(multi_, fd, what, &running);
  finish_transfers();
}

void HttpClient::poll() {
  // A resumed transfer may end, and with it leave the set.
  const std::vector<Transfer*> paced(paced_.begin(), paced_.end());
  for (Transfer* transfer : paced) {
    if (paced_.count(transfer) > 0) transfer->resume_when_due();
  }
  int running = 0;
  curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  finish_transfers();
}

void HttpClient::finish_transfers() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    void* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    const CURLcode code = message->data.result;  // the message dies with the handle
    static_cast<Transfer*>(transfer)->ended(code);
  }
}

void HttpClient::Transfer::prepare(const std::string& url, std::uint32_t timeout_s) {
  stop();
  content_range_.clear();
  checksum_.clear();
  retry_after_s_ = 0;
  head_taken_ = false;
  dropped_ = false;
  paused_ = false;
  next_piece_ms_ = 0;
  easy_ = curl_easy_init();
  if (easy_ == nullptr) throw std::runtime_error("libcurl has no memory");
  const HttpOptions& options = client_.options_;
  curl_easy_setopt(easy_, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy_, CURLOPT_PRIVATE, static_cast<void*>(this));
  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, &Transfer::header_line);
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &Transfer::body_piece);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy_, CURLOPT_USERAGENT, "ota-device");
  curl_easy_setopt(easy_, CURLOPT_PROXY, "");  // a device has no http_proxy variable
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(easy_, CURLOPT_MAXREDIRS, 3L);
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT, static_cast<long>(options.connect_timeout_s));
  curl_easy_setopt(easy_, CURLOPT_TIMEOUT, static_cast<long>(timeout_s));
  // Thousands of devices share this process; an idle connection of each would starve a small server.
  curl_easy_setopt(easy_, CURLOPT_FORBID_REUSE, 1L);
  // libcurl keeps this header from another host that a redirect leads to.
  const Credentials& mine = credentials_;
  if (!mine.token.empty()) {
    headers_ = curl_slist_append(headers_, ("Authorization: Bearer " + mine.token).c_str());
  }
  if (!mine.cert_file.empty()) {
    curl_easy_setopt(easy_, CURLOPT_SSLCERT, mine.cert_file.c_str());
    curl_easy_setopt(easy_, CURLOPT_SSLKEY, mine.key_file.c_str());
  }
  if (!options.ca_file.empty()) curl_easy_setopt(easy_, CURLOPT_CAINFO, options.ca_file.c_str());
}

void HttpClient::Transfer::get(const std::string& url, std::uint64_t offset_bytes, std::uint32_t timeout_s) {
  prepare(url, timeout_s);
  const HttpOptions& options = client_.options_;
  if (offset_bytes > 0) {
    headers_ = curl_slist_append(headers_, ("Range: bytes=" + std::to_string(offset_bytes) + "-").c_str());
  }
  if (options.chunk_bytes > 0) {
    curl_easy_setopt(easy_, CURLOPT_BUFFERSIZE, static_cast<long>(options.chunk_bytes));
  }
  if (options.rate_bytes_per_s_max > 0) {
    // Small pieces, so that the bytes come evenly: ten a second, as far as libcurl reads so little.
    const std::uint64_t piece = std::clamp<std::uint64_t>(options.rate_bytes_per_s_max / 10, 1024, 16384);
    if (options.chunk_bytes == 0) curl_easy_setopt(easy_, CURLOPT_BUFFERSIZE, static_cast<long>(piece));
    curl_easy_setopt(easy_, CURLOPT_SOCKOPTFUNCTION, &shrink_window);
    client_.paced_.insert(this);
  }
  launch();
}

void HttpClient::Transfer::post_json(const std::string& url, std::string_view body, std::uint32_t timeout_s) {
  prepare(url, timeout_s);
  body_ = body;
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, body_.c_str());
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE, static_cast<long>(body_.size()));
  headers_ = curl_slist_append(headers_, "Content-Type: application/json");
  launch();
}

void HttpClient::Transfer::launch() {
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_);
  curl_multi_add_handle(client_.multi_, easy_);
}

void HttpClient::Transfer::stop() {
  if (easy_ == nullptr) return;
  client_.paced_.erase(this);
  curl_multi_remove_handle(client_.multi_, easy_);
  curl_easy_cleanup(easy_);
  curl_slist_free_all(headers_);
  easy_ = nullptr;
  headers_ = nullptr;
}

std::size_t HttpClient::Transfer::header_line(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::string_view line(data, size * count);
  std::string_view value;
  if (line.substr(0, 5) == "HTTP/") {  // of a redirect's answer nothing is kept
    transfer.content_range_.clear();
    transfer.checksum_.clear();
    transfer.retry_after_s_ = 0;
  } else if (header_value(line, "Content-Range", value)) {
    transfer.content_range_ = value;
  } else if (header_value(line, "X-Checksum-SHA256", value)) {
    transfer.checksum_ = value;
  } else if (header_value(line, "Retry-After", value)) {
    std::from_chars(value.data(), value.data() + value.size(), transfer.retry_after_s_);
  }
  return line.size();
}

// Called with the first byte of the body, or at the end when there is none.
bool HttpClient::Transfer::take_head() {
  if (head_taken_) return !dropped_;
  head_taken_ = true;
  long status = 0;
  curl_off_t length = -1;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy_, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  ResponseHead head;
  head.status = static_cast<unsigned>(status);
  head.has_length = length >= 0;
  head.content_length = length >= 0 ? static_cast<std::uint64_t>(length) : 0;
  head.content_range = content_range_;
  head.checksum_sha256 = checksum_;
  head.retry_after_s = retry_after_s_;
  dropped_ = !sink_.on_head(head);
  return !dropped_;
}

// libcurl's own limit lets a second's worth through at once; this one spaces the pieces.
bool HttpClient::Transfer::over_rate(std::size_t bytes) {
  const std::uint64_t rate = client_.options_.rate_bytes_per_s_max;
  if (rate == 0 || client_.paced_.count(this) == 0) return false;
  const std::uint64_t now_ms = steady_now_ms();
  paused_ = now_ms < next_piece_ms_;
  if (!paused_)
    next_piece_ms_ = std::max(next_piece_ms_, now_ms - std::min(now_ms, kCatchUpMs)) + bytes * 1000 / rate;
  return paused_;
}

void HttpClient::Transfer::resume_when_due() {
  if (!paused_ || steady_now_ms() < next_piece_ms_) return;
  paused_ = false;
  curl_easy_pause(easy_, CURLPAUSE_CONT);
}

std::size_t HttpClient::Transfer::body_piece(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::size_t bytes = size * count;
  if (transfer.over_rate(bytes)) return CURL_WRITEFUNC_PAUSE;
  if (!transfer.take_head()) return 0;
  transfer.dropped_ = !transfer.sink_.on_body(reinterpret_cast<const std::uint8_t*>(data), bytes);
  return transfer.dropped_ ? 0 : bytes;
}

void HttpClient::Transfer::ended(CURLcode code) {
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  const bool wanted = status > 0 && code == CURLE_OK ? take_head() : !dropped_;
  const std::string problem = code == CURLE_OK ? std::string() : curl_easy_strerror(code);
  stop();
  if (wanted) sink_.on_end(problem);
}

}  // namespace ota::device::host
