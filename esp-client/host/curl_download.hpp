#pragma once
#include <string>

#include "esp-client/core/agent.hpp"
#include "esp-client/host/http_client.hpp"

namespace ota::device::host {

// The Download port on libcurl.
class CurlDownload final : public Download, public TransferSink {
 public:
  // `base_url` stands before a download_url that starts with "/", without a slash at its end; may be empty.
  // `credentials` are shown there and nowhere else.
  CurlDownload(HttpClient& client, std::string base_url, Credentials credentials);
  virtual ~CurlDownload() = default;

  // Before the first start(); nullptr while the device reboots.
  void connect_to(Agent* agent) { agent_ = agent; }
  // Hands over what could not be handed over within start(). Call it from the loop.
  void poll();

  void start(std::string_view url, std::uint64_t offset_bytes) override;
  void stop() override;

  [[nodiscard]] bool on_head(const ResponseHead& head) override;
  [[nodiscard]] bool on_body(const std::uint8_t* bytes, std::size_t count) override;
  void on_end(std::string_view problem) override;

 private:
  HttpClient::Transfer transfer_;
  std::string base_url_;
  Credentials credentials_;
  Agent* agent_ = nullptr;
  bool no_base_ = false;  // a relative URL and nothing to put before it
};

}  // namespace ota::device::host
