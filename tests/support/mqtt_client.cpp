#include "tests/support/mqtt_client.hpp"

#include <mosquitto.h>

#include <csignal>
#include <stdexcept>
#include <utility>

namespace ota::test_support {
namespace {

constexpr std::chrono::seconds kAnswerWaitMax{10};

const char* or_null(const std::string& text) {
  return text.empty() ? nullptr : text.c_str();
}

void require(int code, const char* what) {
  if (code != MOSQ_ERR_SUCCESS) throw std::runtime_error(std::string(what) + ": " + mosquitto_strerror(code));
}

/// libmosquitto wants one initialisation per process, before the first client; and TLS to a broker that has
/// cut the connection raises a signal.
void initialise_library() {
  static const int done = (std::signal(SIGPIPE, SIG_IGN), mosquitto_lib_init());
  require(done, "mosquitto_lib_init");
}

mosquitto* make_client(const MqttLogin& login, void* self) {
  initialise_library();
  mosquitto* client = mosquitto_new(or_null(login.client_id), true, self);
  if (client == nullptr) throw std::runtime_error("mosquitto_new failed");
  return client;
}

}  // namespace

/// They run on libmosquitto's thread.
struct MqttClient::Callbacks {
  static MqttClient& self(void* pointer) { return *static_cast<MqttClient*>(pointer); }

  static void connack(mosquitto*, void* pointer, int code, int, const mosquitto_property*) {
    self(pointer).set([&](MqttClient& client) {
      client.connack_ = code;
      client.connected_ = code == 0;
    });
  }
  static void disconnected(mosquitto*, void* pointer, int, const mosquitto_property*) {
    self(pointer).set([](MqttClient& client) {
      client.connected_ = false;
      client.cut_ = true;
    });
  }
  static void suback(mosquitto*, void* pointer, int, int count, const int* codes, const mosquitto_property*) {
    self(pointer).set([&](MqttClient& client) { client.suback_ = count > 0 ? codes[0] : kNoAnswer; });
  }
  static void puback(mosquitto*, void* pointer, int, int code, const mosquitto_property*) {
    self(pointer).set([&](MqttClient& client) { client.puback_ = code; });
  }
  static void message(mosquitto*, void* pointer, const mosquitto_message* message,
                      const mosquitto_property*) {
    MqttMessage copy;
    copy.topic = message->topic;
    if (message->payloadlen > 0) {
      copy.payload.assign(static_cast<const char*>(message->payload),
                          static_cast<std::size_t>(message->payloadlen));
    }
    copy.retained = message->retain;
    self(pointer).set([&](MqttClient& client) { client.messages_.push_back(std::move(copy)); });
  }
};

template <typename Change>
void MqttClient::set(const Change& change) {
  {
    const std::lock_guard lock(mutex_);
    change(*this);
  }
  changed_.notify_all();
}

MqttClient::MqttClient(MqttLogin login)
    : login_(std::move(login)), client_(make_client(login_, this), mosquitto_destroy) {
  mosquitto* client = client_.get();
  require(mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, login_.version), "protocol version");
  if (!login_.username.empty()) {
    require(mosquitto_username_pw_set(client, login_.username.c_str(), or_null(login_.password)), "password");
  }
  if (!login_.ca.empty()) {
    require(mosquitto_tls_set(client, login_.ca.c_str(), nullptr, or_null(login_.cert), or_null(login_.key),
                              nullptr),
            "TLS files");
  }
  if (!login_.will_topic.empty()) {
    const auto& will = login_.will_payload;
    require(mosquitto_will_set(client, login_.will_topic.c_str(), static_cast<int>(will.size()), will.data(),
                               1, false),
            "last will");
  }
  mosquitto_connect_v5_callback_set(client, Callbacks::connack);
  mosquitto_disconnect_v5_callback_set(client, Callbacks::disconnected);
  mosquitto_subscribe_v5_callback_set(client, Callbacks::suback);
  mosquitto_publish_v5_callback_set(client, Callbacks::puback);
  mosquitto_message_v5_callback_set(client, Callbacks::message);
}

MqttClient::~MqttClient() {
  mosquitto_disconnect(client_.get());
  mosquitto_loop_stop(client_.get(), false);
}

void MqttClient::wait_for(std::optional<int>& answer, std::unique_lock<std::mutex>& lock) {
  changed_.wait_for(lock, kAnswerWaitMax, [&] { return answer.has_value() || cut_; });
}

int MqttClient::connect() {
  // The loop thread would reconnect by itself: a refusal must stay one.
  mosquitto_reconnect_delay_set(client_.get(), 3600, 3600, false);
  const int code = mosquitto_connect(client_.get(), login_.host.c_str(), login_.port, login_.keep_alive_s);
  if (code != MOSQ_ERR_SUCCESS) return kNoAnswer;
  require(mosquitto_loop_start(client_.get()), "loop thread");
  std::unique_lock lock(mutex_);
  wait_for(connack_, lock);
  return connack_.value_or(kNoAnswer);
}

int MqttClient::subscribe(const std::string& filter, int qos) {
  std::unique_lock lock(mutex_);
  suback_.reset();
  lock.unlock();
  if (mosquitto_subscribe(client_.get(), nullptr, filter.c_str(), qos) != MOSQ_ERR_SUCCESS) return kNoAnswer;
  lock.lock();
  wait_for(suback_, lock);
  return suback_.value_or(kNoAnswer);
}

int MqttClient::publish(const std::string& topic, const std::string& payload, bool retain) {
  std::unique_lock lock(mutex_);
  puback_.reset();
  lock.unlock();
  const int length = static_cast<int>(payload.size());
  if (mosquitto_publish(client_.get(), nullptr, topic.c_str(), length, payload.data(), 1, retain) !=
      MOSQ_ERR_SUCCESS) {
    return kNoAnswer;
  }
  lock.lock();
  wait_for(puback_, lock);
  return puback_.value_or(kNoAnswer);
}

std::optional<MqttMessage> MqttClient::next(std::chrono::milliseconds wait_max) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, wait_max, [this] { return !messages_.empty(); })) return std::nullopt;
  auto message = std::move(messages_.front());
  messages_.pop_front();
  return message;
}

bool MqttClient::is_connected() const {
  const std::lock_guard lock(mutex_);
  return connected_;
}

bool MqttClient::wait_for_disconnect(std::chrono::milliseconds wait_max) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, wait_max, [this] { return cut_; });
}

void MqttClient::disconnect() {
  mosquitto_disconnect(client_.get());
}

}  // namespace ota::test_support
