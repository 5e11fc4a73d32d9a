#pragma once
#include <deque>
#include <string>

#include "esp-client/host/http_client.hpp"
#include "esp-client/host/link.hpp"

namespace ota::device::host {

// The REST world behind the Mqtt port: a check is a GET whose body is the live answer, a status is a POST
// whose 200 is the ack. There is no presence, and no connection that could be lost. An image on trial counts
// as connected once its server has answered /health, with whatever status: that keeps the image, and the
// check, which tells the server that the new version runs, must come after it. Other images have nothing to
// prove, and their requests are repeated until answered.
class RestLink final : public Link, public TransferSink {
 public:
  RestLink(HttpClient& client, std::string base_url, std::string device_id, Observer& observer,
           std::uint64_t seed, Credentials credentials = {});

  void power_on(Agent& agent) override;
  void power_off() override;
  void poll(std::uint64_t now_ms) override;
  void publish(Topic topic, std::string_view payload, bool retained) override;

  [[nodiscard]] bool on_head(const ResponseHead& head) override;
  [[nodiscard]] bool on_body(const std::uint8_t* bytes, std::size_t count) override;
  void on_end(std::string_view problem) override;

 private:
  struct Request {
    Topic topic = Topic::kCheck;
    std::string payload;
  };

  void connect();
  void knock();
  void after_knock(std::string_view problem);
  void send(const Request& request);
  void deliver(std::string_view problem);

  HttpClient::Transfer transfer_;
  std::string base_url_;
  std::string device_id_;
  Observer& observer_;
  Jitter jitter_;
  Agent* agent_ = nullptr;
  bool connected_ = false;
  unsigned knocks_ = 0;  // that nobody has answered
  std::uint64_t knock_due_ms_ = 0;
  std::deque<Request> waiting_;  // the front one is under way
  unsigned status_ = 0;
  std::string body_;
};

}  // namespace ota::device::host
