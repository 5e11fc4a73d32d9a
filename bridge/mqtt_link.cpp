#include "bridge/mqtt_link.hpp"

#include <MQTTAsync.h>
#include <mqtt/async_client.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <thread>

#include "bridge/broker_address.hpp"
#include "bridge/tcp_nodelay.hpp"
#include "fleet/limits.hpp"

namespace ota::bridge {
namespace {

using namespace std::chrono_literals;

// More unacknowledged publications make Paho slower, not faster: its lists are searched linearly.
constexpr std::size_t kInFlightMax = 200;
constexpr auto kAnswerWaitMax = 10s;
constexpr auto kKeepAlive = 20s;
constexpr auto kDrainMax = 2s;
// A broker that is restarted is back in a moment: about ten seconds of quick tries, then longer pauses.
constexpr int kQuickTries = 25;
constexpr auto kReconnectPauseMin = 500ms;
constexpr auto kReconnectPauseMax = 8000ms;

struct Endpoint {
  std::string paho_uri;
  std::uint16_t port = 1883;
  bool tls = false;
};

Endpoint endpoint_of(const std::string& url) {
  const auto address = parse_broker_url(url).value();
  Endpoint endpoint;
  endpoint.tls = address.tls;
  endpoint.port = static_cast<std::uint16_t>(address.port);
  const bool is_ipv6 = address.host.find(':') != std::string::npos;
  endpoint.paho_uri = (endpoint.tls ? "ssl://" : "tcp://") +
                      (is_ipv6 ? '[' + address.host + ']' : address.host) + ':' +
                      std::to_string(address.port);
  return endpoint;
}

std::chrono::milliseconds jittered(std::chrono::milliseconds most) {
  thread_local std::mt19937 random{std::random_device{}()};
  return std::chrono::milliseconds(
      std::uniform_int_distribution<std::int64_t>(most.count() / 4, most.count())(random));
}

}  // namespace

class MqttLink::Impl : private mqtt::iaction_listener {
 public:
  Impl(MqttOptions options, Handlers handlers)
      : options_(std::move(options)),
        handlers_(std::move(handlers)),
        endpoint_(endpoint_of(options_.url)),
        client_(endpoint_.paho_uri, options_.client_id,
                mqtt::create_options(MQTTVERSION_5, static_cast<int>(kInFlightMax) * 2)) {
    // By default the library formats every packet into a trace that nobody reads.
    MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_ERROR);
    client_.set_message_callback([this](const mqtt::const_message_ptr& message) { on_message(*message); });
    client_.set_connection_lost_handler([this](const std::string& cause) { on_lost(cause); });
  }

  void start() {
    keeper_ = std::thread([this] { keep_connected(); });
    sender_ = std::thread([this] { send_queued(); });
  }

  void stop() {
    if (!keeper_.joinable()) return;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kDrainMax,
                        [this] { return !connected_ || (queue_.empty() && in_flight_ == 0); });
      stopping_ = true;
    }
    changed_.notify_all();
    sender_.join();
    keeper_.join();
    try {
      if (client_.is_connected()) client_.disconnect(1000)->wait_for(2s);
    } catch (const mqtt::exception& error) {
      spdlog::debug("mqtt: disconnect: {}", error.what());
    }
  }

  bool is_connected() const {
    const std::lock_guard lock(mutex_);
    return connected_;
  }

  std::size_t backlog() const {
    const std::lock_guard lock(mutex_);
    return queue_.size() + in_flight_;
  }

  void publish(std::string topic, std::string payload, bool retain, Done done) {
    {
      const std::lock_guard lock(mutex_);
      if (connected_ && queue_.size() < fleet::kWaitingPublicationsMax && !stopping_) {
        queue_.push_back({std::move(topic), std::move(payload), retain, std::move(done)});
        if (queue_.size() == 1) changed_.notify_all();
        return;
      }
    }
    if (done) done(false);
  }

  bool subscribe(const Subscription& subscription) {
    try {
      const mqtt::subscribe_options how(subscription.no_local, subscription.retain_as_published);
      const auto token = client_.subscribe(subscription.filter, 1, how);
      if (!token->wait_for(kAnswerWaitMax)) return false;
      const auto code = static_cast<int>(token->get_reason_code());
      if (code < 0x80) return true;
      spdlog::error("mqtt: subscription to {} refused with reason {}", subscription.filter, code);
    } catch (const mqtt::exception& error) {
      spdlog::warn("mqtt: cannot subscribe to {}: {}", subscription.filter, error.what());
    }
    return false;
  }

  void unsubscribe(const std::string& filter) {
    try {
      client_.unsubscribe(filter)->wait_for(kAnswerWaitMax);
    } catch (const mqtt::exception& error) {
      spdlog::warn("mqtt: cannot unsubscribe from {}: {}", filter, error.what());
    }
  }

 private:
  struct Publication {
    std::string topic;
    std::string payload;
    bool retain = false;
    Done done;
  };

  mqtt::connect_options connect_options() {
    mqtt::connect_options connect;
    connect.set_mqtt_version(MQTTVERSION_5);
    connect.set_clean_start(true);  // and session expiry 0, by default: docs/decisions/0011
    connect.set_keep_alive_interval(kKeepAlive);
    connect.set_connect_timeout(5s);
    connect.set_automatic_reconnect(false);
    if (!options_.username.empty()) connect.set_user_name(options_.username);
    if (!options_.password.empty()) connect.set_password(options_.password);
    if (endpoint_.tls) {
      mqtt::ssl_options tls;
      tls.set_trust_store(options_.ca);
      if (!options_.cert.empty()) {
        tls.set_key_store(options_.cert);
        tls.set_private_key(options_.key);
      }
      tls.set_verify(true);
      connect.set_ssl(std::move(tls));
    }
    if (!options_.will_topic.empty()) {
      connect.set_will(mqtt::will_options(options_.will_topic, options_.will_payload, 1, true));
    }
    return connect;
  }

  bool connect_once() {
    try {
      if (!client_.connect(connect_options())->wait_for(kAnswerWaitMax)) {
        spdlog::warn("mqtt: {} does not answer", options_.url);
        return false;
      }
    } catch (const mqtt::exception& error) {
      if (failures_++ % 20 == 0) spdlog::warn("mqtt: cannot connect to {}: {}", options_.url, error.what());
      return false;
    }
    failures_ = 0;
    set_tcp_nodelay_towards(endpoint_.port);
    return true;
  }

  // The one thread that connects, subscribes and reconnects.
  void keep_connected() {
    auto pause = std::chrono::milliseconds(kReconnectPauseMin);
    int tries = 0;
    while (!is_stopping()) {
      if (connect_once()) {
        set_connected(true);  // a loss from here on ends the wait below
        spdlog::info("mqtt: connected to {}", options_.url);
        if (handlers_.connected()) {
          tries = 0;
          pause = kReconnectPauseMin;
          std::unique_lock lock(mutex_);
          changed_.wait(lock, [this] { return stopping_ || lost_; });
        }
        if (is_stopping()) return;
        set_connected(false);
        drop_connection();
        handlers_.disconnected();
      }
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, jittered(pause), [this] { return stopping_; });
      if (++tries > kQuickTries) pause = std::min(pause * 2, std::chrono::milliseconds(kReconnectPauseMax));
    }
  }

  void drop_connection() {
    try {
      if (client_.is_connected()) client_.disconnect(0)->wait_for(2s);
    } catch (const mqtt::exception& error) {
      spdlog::debug("mqtt: disconnect: {}", error.what());
    }
  }

  // The one thread that hands publications to Paho, so that no caller waits and no callback re-enters the
  // library.
  void send_queued() {
    std::deque<Publication> batch;
    std::deque<Publication> dropped;
    while (true) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] {
          return stopping_ || (!queue_.empty() && (!connected_ || in_flight_ < kInFlightMax));
        });
        if (stopping_) return;
        if (!connected_) {
          dropped.swap(queue_);
        } else {
          while (!queue_.empty() && in_flight_ < kInFlightMax) {
            batch.push_back(std::move(queue_.front()));
            queue_.pop_front();
            ++in_flight_;
          }
        }
      }
      for (auto& publication : batch) send(std::move(publication));
      for (auto& publication : dropped) {
        if (publication.done) publication.done(false);
      }
      batch.clear();
      dropped.clear();
    }
  }

  void send(Publication publication) {
    auto done = std::make_unique<Done>(std::move(publication.done));
    try {
      client_.publish(mqtt::make_message(std::move(publication.topic), std::move(publication.payload), 1,
                                         publication.retain),
                      done.get(), *this);
      (void)done.release();  // finished() owns it now
    } catch (const mqtt::exception& error) {
      spdlog::debug("mqtt: publish: {}", error.what());
      finished(std::move(done), false);
    }
  }

  void on_success(const mqtt::token& token) override {
    finished(std::unique_ptr<Done>(static_cast<Done*>(token.get_user_context())), true);
  }
  void on_failure(const mqtt::token& token) override {
    finished(std::unique_ptr<Done>(static_cast<Done*>(token.get_user_context())), false);
  }

  void finished(std::unique_ptr<Done> done, bool acknowledged) {
    {
      const std::lock_guard lock(mutex_);
      --in_flight_;
      // Waking the sender for every acknowledgement costs a context switch each; half a window is early
      // enough.
      if (in_flight_ == kInFlightMax / 2 || in_flight_ == 0) changed_.notify_all();
    }
    if (done && *done) (*done)(acknowledged);
  }

  void on_message(const mqtt::message& message) {
    try {
      handlers_.message({message.get_topic(), message.get_payload_str(), message.is_retained()});
    } catch (const std::exception& error) {
      // Nothing outside may end the process; an exception here would cross C frames.
      spdlog::error("mqtt: message handler: {}", error.what());
    }
  }

  void on_lost(const std::string& cause) {
    spdlog::warn("mqtt: connection lost{}{}", cause.empty() ? "" : ": ", cause);
    {
      const std::lock_guard lock(mutex_);
      lost_ = true;
      connected_ = false;
    }
    changed_.notify_all();
  }

  void set_connected(bool connected) {
    {
      const std::lock_guard lock(mutex_);
      connected_ = connected;
      lost_ = false;
    }
    // Not under our mutex: Paho calls us back while it holds its own. A loss after this question is told by
    // on_lost.
    if (connected && !client_.is_connected()) {
      const std::lock_guard lock(mutex_);
      lost_ = true;
      connected_ = false;
    }
    changed_.notify_all();
  }

  bool is_stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }

  const MqttOptions options_;
  const Handlers handlers_;
  const Endpoint endpoint_;
  mqtt::async_client client_;
  int failures_ = 0;  // keeper thread only

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Publication> queue_;
  std::size_t in_flight_ = 0;
  bool connected_ = false;
  bool lost_ = false;
  bool stopping_ = false;

  std::thread keeper_;
  std::thread sender_;
};

MqttLink::MqttLink(MqttOptions options, Handlers handlers)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handlers))) {}
MqttLink::~MqttLink() {
  stop();
}
void MqttLink::start() {
  impl_->start();
}
void MqttLink::stop() {
  impl_->stop();
}
bool MqttLink::is_connected() const {
  return impl_->is_connected();
}
void MqttLink::publish(std::string topic, std::string payload, bool retain, Done done) {
  impl_->publish(std::move(topic), std::move(payload), retain, std::move(done));
}
std::size_t MqttLink::backlog() const {
  return impl_->backlog();
}
bool MqttLink::subscribe(const Subscription& subscription) {
  return impl_->subscribe(subscription);
}
void MqttLink::unsubscribe(const std::string& filter) {
  impl_->unsubscribe(filter);
}

}  // namespace ota::bridge
