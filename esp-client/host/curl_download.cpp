#include "esp-client/host/curl_download.hpp"

#include <utility>

namespace ota::device::host {

CurlDownload::CurlDownload(HttpClient& client, std::string base_url, Credentials credentials)
    : transfer_(client, *this), base_url_(std::move(base_url)), credentials_(std::move(credentials)) {}

void CurlDownload::start(std::string_view url, std::uint64_t offset_bytes) {
  no_base_ = url.substr(0, 1) == "/" && base_url_.empty();
  if (no_base_) return;
  const std::string whole = (url.substr(0, 1) == "/" ? base_url_ : std::string()) + std::string(url);
  const bool is_ours = !base_url_.empty() && whole.compare(0, base_url_.size() + 1, base_url_ + '/') == 0;
  transfer_.authorize(is_ours ? credentials_ : Credentials());
  transfer_.get(whole, offset_bytes, 0);
}

void CurlDownload::stop() {
  no_base_ = false;
  transfer_.stop();
}

void CurlDownload::poll() {
  if (!no_base_ || agent_ == nullptr) return;
  no_base_ = false;
  agent_->on_download_end("download_url is relative and no --http base is given");
}

bool CurlDownload::on_head(const ResponseHead& head) {
  return agent_ != nullptr && agent_->on_response(head);
}

bool CurlDownload::on_body(const std::uint8_t* bytes, std::size_t count) {
  return agent_ != nullptr && agent_->on_data(bytes, count);
}

void CurlDownload::on_end(std::string_view problem) {
  if (agent_ != nullptr) agent_->on_download_end(problem);
}

}  // namespace ota::device::host
