#include "esp-client/host/mqtt_link.hpp"

#include <sys/epoll.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "esp-client/host/steady_clock.hpp"

namespace ota::device::host {
namespace {

// A broker that restarts has 5 000 devices back well within a minute.
constexpr Backoff kReconnect{1'000, 20'000};
constexpr std::uint64_t kConnectTimeoutMs = 20'000;
constexpr std::uint64_t kMiscPeriodMs = 500;

}  // namespace

MqttLink::MqttLink(EventLoop& loop, ConnectGate& gate, MqttOptions options, std::string device_id,
                   Observer& observer, std::uint64_t seed)
    : loop_(loop),
      gate_(gate),
      options_(std::move(options)),
      device_id_(std::move(device_id)),
      observer_(observer),
      jitter_(seed),
      offer_topic_(topic(Topic::kOffer)),
      ack_topic_(topic(Topic::kAck)) {}

MqttLink::~MqttLink() {
  power_off();
}

std::string MqttLink::topic(Topic topic) const {
  return options_.root + "/device/" + device_id_ + "/" + std::string(topic_suffix(topic));
}

bool MqttLink::create_client() {
  client_ = mosquitto_new(device_id_.c_str(), false, this);
  if (client_ == nullptr) return false;
  mosquitto_int_option(client_, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_connect_callback_set(client_, &MqttLink::on_connect);
  mosquitto_disconnect_callback_set(client_, &MqttLink::on_disconnect);
  mosquitto_subscribe_callback_set(client_, &MqttLink::on_subscribe);
  mosquitto_message_callback_set(client_, &MqttLink::on_message);
  const std::string presence = topic(Topic::kPresence);
  int code = mosquitto_will_set(client_, presence.c_str(), static_cast<int>(kOffline.size()), kOffline.data(),
                                1, true);
  if (code == MOSQ_ERR_SUCCESS && !options_.ca_file.empty()) {
    const auto file_or_null = [](const std::string& name) { return name.empty() ? nullptr : name.c_str(); };
    code = mosquitto_tls_set(client_, options_.ca_file.c_str(), nullptr, file_or_null(options_.cert_file),
                             file_or_null(options_.key_file), nullptr);
    if (code == MOSQ_ERR_SUCCESS) code = mosquitto_tls_opts_set(client_, 1, "tlsv1.2", nullptr);
  }
  if (code == MOSQ_ERR_SUCCESS && !options_.username.empty()) {
    code = mosquitto_username_pw_set(client_, options_.username.c_str(), options_.password.c_str());
  }
  if (code == MOSQ_ERR_SUCCESS) return true;
  observer_.on_problem(std::string("the MQTT client cannot be set up: ") + mosquitto_strerror(code));
  mosquitto_destroy(client_);
  client_ = nullptr;
  return false;
}

void MqttLink::power_on(Agent& agent) {
  agent_ = &agent;
  tries_ = 0;
  lost_ = false;
  connect_due_ms_ = 0;
  was_connected_ = false;
}

void MqttLink::power_off() {
  if (client_ == nullptr) return;
  if (phase_ == Phase::kUp) publish(Topic::kPresence, kOffline, true);
  agent_ = nullptr;
  mosquitto_disconnect(client_);
  for (int i = 0; i < 3 && mosquitto_want_write(client_); ++i) mosquitto_loop_write(client_, 1);
  if (fd_ >= 0) loop_.forget(fd_);
  mosquitto_destroy(client_);
  client_ = nullptr;
  fd_ = -1;
  set_phase(Phase::kDown);
}

void MqttLink::set_phase(Phase phase) {
  const auto counts = [](Phase p) { return p == Phase::kConnecting || p == Phase::kSubscribing; };
  if (counts(phase_)) --gate_.connecting;
  if (counts(phase)) ++gate_.connecting;
  phase_ = phase;
}

void MqttLink::connect(std::uint64_t now_ms) {
  if (client_ == nullptr && !create_client()) {
    connect_due_ms_ = now_ms + kReconnect.base_ms + kReconnect.delay_ms(tries_++, jitter_);
    return;
  }
  set_phase(Phase::kConnecting);
  connect_until_ms_ = now_ms + kConnectTimeoutMs;
  const int code = was_connected_ ? mosquitto_reconnect_async(client_)
                                  : mosquitto_connect_async(client_, options_.host.c_str(), options_.port,
                                                            options_.keepalive_s);
  was_connected_ = true;
  check(code);
  refresh();
}

void MqttLink::poll(std::uint64_t now_ms) {
  if (agent_ == nullptr) return;
  if (client_ != nullptr && phase_ != Phase::kDown && now_ms >= misc_due_ms_) {
    misc_due_ms_ = now_ms + kMiscPeriodMs;
    check(mosquitto_loop_misc(client_));
    refresh();
  }
  // The library pings after one silent keep-alive and would wait for another whole one.
  const std::uint64_t silent_ms_max = options_.keepalive_s * std::uint64_t{1500};
  if (phase_ == Phase::kUp && now_ms >= last_sign_of_life_ms_ + silent_ms_max) lose("the broker fell silent");
  const bool connecting = phase_ == Phase::kConnecting || phase_ == Phase::kSubscribing;
  if (connecting && now_ms >= connect_until_ms_) lose("no answer from the broker");
  if (lost_) {
    lost_ = false;
    const bool was_up = phase_ == Phase::kUp;
    if (fd_ >= 0) loop_.forget(fd_);
    fd_ = -1;
    // A client that gave up half way would keep its socket: a new one starts clean.
    mosquitto_destroy(client_);
    client_ = nullptr;
    was_connected_ = false;
    set_phase(Phase::kDown);
    connect_due_ms_ = now_ms + kReconnect.delay_ms(tries_++, jitter_);
    if (tries_ == 1 || was_up) observer_.on_problem("broker connection lost: " + lost_why_);
    if (was_up) agent_->on_disconnected();
  }
  if (phase_ == Phase::kDown && now_ms >= connect_due_ms_ && gate_.connecting < gate_.connecting_max) {
    connect(now_ms);
  }
}

void MqttLink::lose(std::string_view why) {
  if (lost_) return;
  lost_ = true;
  lost_why_ = why;
}

void MqttLink::check(int code) {
  if (code == MOSQ_ERR_SUCCESS) return;
  lose(code == MOSQ_ERR_ERRNO ? std::strerror(errno) : mosquitto_strerror(code));
}

void MqttLink::on_fd(int, std::uint32_t epoll_events) {
  if (client_ == nullptr || lost_) return;
  if ((epoll_events & EPOLLIN) != 0) last_sign_of_life_ms_ = steady_now_ms();
  if ((epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) check(mosquitto_loop_read(client_, 16));
  if (!lost_ && (epoll_events & EPOLLOUT) != 0) check(mosquitto_loop_write(client_, 16));
  // A handshake that the peer ended is no error to libmosquitto: it would be polled for ever.
  if ((epoll_events & (EPOLLHUP | EPOLLERR)) != 0 && phase_ != Phase::kUp)
    lose("the broker closed the connection");
  refresh();
}

// After every call into the library: its socket may be new, and it may have something to write.
void MqttLink::refresh() {
  if (client_ == nullptr || lost_) return;
  const int fd = mosquitto_socket(client_);
  const std::uint32_t out = mosquitto_want_write(client_) ? static_cast<std::uint32_t>(EPOLLOUT) : 0U;
  const std::uint32_t events = static_cast<std::uint32_t>(EPOLLIN) | out;
  if (fd == fd_ && events == watched_events_) return;
  if (fd != fd_ && fd_ >= 0) loop_.forget(fd_);
  fd_ = fd;
  watched_events_ = events;
  if (fd >= 0) loop_.watch(fd, events, *this);
}

void MqttLink::publish(Topic to, std::string_view payload, bool retained) {
  if (client_ == nullptr || phase_ != Phase::kUp || payload.empty()) return;
  const int code = mosquitto_publish(client_, nullptr, topic(to).c_str(), static_cast<int>(payload.size()),
                                     payload.data(), 1, retained);
  check(code);
  refresh();
}

void MqttLink::on_connect(mosquitto* client, void* self, int code) {
  auto& link = *static_cast<MqttLink*>(self);
  if (code != 0) return link.lose(mosquitto_connack_string(code));
  link.set_phase(Phase::kSubscribing);
  char* topics[] = {link.offer_topic_.data(), link.ack_topic_.data()};
  link.check(mosquitto_subscribe_multiple(client, nullptr, 2, topics, 1, 0, nullptr));
}

void MqttLink::on_disconnect(mosquitto*, void* self, int code) {
  static_cast<MqttLink*>(self)->lose(code == 0 ? "closed" : mosquitto_strerror(code));
}

void MqttLink::on_subscribe(mosquitto*, void* self, int, int count, const int* granted) {
  auto& link = *static_cast<MqttLink*>(self);
  for (int i = 0; i < count; ++i) {
    if (granted[i] > 2) return link.lose("the broker refused the subscription");
  }
  if (link.phase_ != Phase::kSubscribing || link.agent_ == nullptr) return;
  link.set_phase(Phase::kUp);
  link.tries_ = 0;
  link.agent_->on_connected();
}

void MqttLink::on_message(mosquitto*, void* self, const mosquitto_message* message) {
  auto& link = *static_cast<MqttLink*>(self);
  if (link.agent_ == nullptr) return;
  const std::string_view payload(static_cast<const char*>(message->payload),
                                 static_cast<std::size_t>(message->payloadlen));
  // What comes before the subscription is answered stood in the durable session: from another time.
  const bool live = !message->retain && link.phase_ == Phase::kUp;
  if (message->topic == link.offer_topic_) link.agent_->on_message(Topic::kOffer, payload, live);
  if (message->topic == link.ack_topic_) link.agent_->on_message(Topic::kAck, payload, live);
}

}  // namespace ota::device::host
