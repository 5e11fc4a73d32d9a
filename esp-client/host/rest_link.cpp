#include "esp-client/host/rest_link.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "esp-client/host/steady_clock.hpp"

namespace ota::device::host {
namespace {

constexpr std::size_t kWaitingMax = 16;  // beyond it a message is dropped: the core sends it again
constexpr std::size_t kBodyBytesMax = 16384;
constexpr std::uint32_t kRequestTimeoutS = 20;
constexpr Backoff kKnock{1'000, 20'000};

std::string url_encoded(const std::string& text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4U];
      out += kHex[byte & 0xFU];
    }
  }
  return out;
}

}  // namespace

RestLink::RestLink(HttpClient& client, std::string base_url, std::string device_id, Observer& observer,
                   std::uint64_t seed, Credentials credentials)
    : transfer_(client, *this),
      base_url_(std::move(base_url)),
      device_id_(std::move(device_id)),
      observer_(observer),
      jitter_(seed) {
  transfer_.authorize(std::move(credentials));
}

void RestLink::power_on(Agent& agent) {
  agent_ = &agent;
  connected_ = false;
  knocks_ = 0;
  knock_due_ms_ = 0;
}

void RestLink::power_off() {
  agent_ = nullptr;
  transfer_.stop();
  waiting_.clear();
}

void RestLink::poll(std::uint64_t now_ms) {
  if (agent_ == nullptr || transfer_.busy()) return;
  if (!connected_ && agent_->machine().state() != State::kTrial) connect();
  if (!connected_ && now_ms >= knock_due_ms_) return knock();
  if (!waiting_.empty()) send(waiting_.front());
}

void RestLink::connect() {
  connected_ = true;
  agent_->on_connected();
}

void RestLink::knock() {
  status_ = 0;
  transfer_.get(base_url_ + "/health", 0, kRequestTimeoutS);
}

void RestLink::publish(Topic topic, std::string_view payload, bool) {
  if (topic == Topic::kPresence || payload.empty() || waiting_.size() >= kWaitingMax) return;
  waiting_.push_back({topic, std::string(payload)});
}

void RestLink::send(const Request& request) {
  status_ = 0;
  body_.clear();
  if (request.topic == Topic::kStatus) {
    transfer_.post_json(base_url_ + "/api/device/" + url_encoded(device_id_) + "/update-status",
                        request.payload, kRequestTimeoutS);
    return;
  }
  const nlohmann::json check = nlohmann::json::parse(request.payload);  // our own encoder wrote it
  std::string url = base_url_ + "/api/firmware/check?manifest=1&device_id=" + url_encoded(device_id_);
  for (const auto& [key, value] : check.items())
    url += "&" + key + "=" + url_encoded(value.get<std::string>());
  transfer_.get(url, 0, kRequestTimeoutS);
}

bool RestLink::on_head(const ResponseHead& head) {
  status_ = head.status;
  return true;
}

bool RestLink::on_body(const std::uint8_t* bytes, std::size_t count) {
  if (!connected_) return true;
  if (body_.size() + count > kBodyBytesMax) status_ = 0;  // nothing of ours answers so much
  if (status_ != 0) body_.append(reinterpret_cast<const char*>(bytes), count);
  return true;
}

void RestLink::on_end(std::string_view problem) {
  if (agent_ == nullptr) return;
  if (!connected_) return after_knock(problem);
  if (!waiting_.empty()) deliver(problem);
}

void RestLink::after_knock(std::string_view problem) {
  if (status_ != 0) return connect();
  if (knocks_ == 0) observer_.on_problem(problem);
  knock_due_ms_ = steady_now_ms() + kKnock.delay_ms(knocks_++, jitter_);
}

void RestLink::deliver(std::string_view problem) {
  const Request request = std::move(waiting_.front());
  waiting_.pop_front();
  const bool answered = problem.empty() && status_ == 200;
  if (!answered) {
    observer_.on_problem(problem.empty() ? "the server answered " + std::to_string(status_) + ": " + body_
                                         : std::string(problem));
  }
  if (request.topic == Topic::kCheck) {
    if (answered) agent_->on_message(Topic::kOffer, body_, true);
    return;
  }
  // 401 and 403 are about who asks, which may be mended on either side, and not about the report.
  const bool passing = status_ == 401 || status_ == 403 || status_ == 408 || status_ == 429;
  const bool refused = problem.empty() && status_ >= 400 && status_ < 500 && !passing;
  if (!answered && !refused) return;  // the core sends it again
  const nlohmann::json report = nlohmann::json::parse(request.payload);
  const nlohmann::json ack = {{"report_id", report.at("report_id")}, {"recorded", answered}};
  agent_->on_message(Topic::kAck, ack.dump(), true);
}

}  // namespace ota::device::host
