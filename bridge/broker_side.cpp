#include "bridge/broker_side.hpp"

#include <spdlog/spdlog.h>

#include "bridge/service.hpp"
#include "fleet/ids.hpp"
#include "topics/payloads.hpp"

namespace ota::bridge {
namespace {

using topics::DeviceTopic;

const std::string kDropsTopic = "$SYS/broker/publish/messages/dropped";

MqttOptions link_options(const Config& config, const topics::Names& names) {
  MqttOptions options;
  options.url = config.mqtt_url;
  options.client_id = "ota-bridge-" + config.replica;
  options.username = config.mqtt_username;
  options.password = config.mqtt_password;
  options.ca = config.mqtt_ca;
  options.cert = config.mqtt_cert;
  options.key = config.mqtt_key;
  options.will_topic = names.service(config.replica);
  options.will_payload = topics::encode_service_offline();
  return options;
}

}  // namespace

BrokerSide::BrokerSide(const Config& config, topics::Names names, Ports ports)
    : replica_(config.replica),
      share_prefix_(config.mqtt_shared_group.empty() ? "" : "$share/" + config.mqtt_shared_group + "/"),
      names_(std::move(names)),
      refusals_(ports.refusals),
      link_(link_options(config, names_), {[this](const Incoming& incoming) { take(incoming); },
                                           [this] { return subscribe(); }, [this] { subscribed_ = false; }}),
      publisher_({&link_, ports.catalogs, std::move(ports.marks), &names_, config.public_url, ports.urls,
                  ports.now}),
      desk_({&link_, ports.inbox, &publisher_, &names_, ports.refusals, ports.now, ports.rate}),
      push_({std::move(ports.push), std::move(ports.reconcile), ports.catalogs, ports.sha256,
             ports.local_clock, &publisher_, &link_,
             [catalogs = ports.catalogs] { return catalogs->refresh(); }, &names_,
             [this] { announce(++readings_); }, ports.leads, ports.now,
             [this] { return link_.is_connected() && subscribed_; }, config.push_per_second,
             !share_prefix_.empty()}),
      monitor_({std::move(ports.monitor), ports.reader, &link_, &names_, ports.leads}),
      leads_(ports.leads),
      readings_(ports.now().time_since_epoch().count()) {}

void BrokerSide::start() {
  publisher_.start();
  push_.start();
  monitor_.start();
  link_.start();
}

void BrokerSide::stop_leading() {
  push_.stop();
  monitor_.stop();
}

void BrokerSide::leadership_changed(bool leads) {
  if (leads) {
    push_.reconcile();
    monitor_.republish();
  }
  announce();
}

void BrokerSide::stop() {
  link_.publish(names_.service(replica_), topics::encode_service_offline(), true);
  link_.stop();
  publisher_.stop();
}

void BrokerSide::catalog_changed() {
  push_.wake();
  monitor_.wake();
}

// After every connect: the session ended with the last one, and Paho does not subscribe again by itself.
bool BrokerSide::subscribe() {
  for (const auto kind : {DeviceTopic::check, DeviceTopic::status, DeviceTopic::presence}) {
    if (!link_.subscribe({share_prefix_ + names_.every_device(kind), false, true})) return false;
  }
  if (!link_.subscribe({names_.service(replica_)}) || !link_.subscribe({kDropsTopic})) return false;
  announce();
  push_.reconcile();
  monitor_.republish();
  subscribed_ = true;  // and only now may the broker be read: the marker of a reading comes by these topics
  push_.wake();
  return true;
}

const char* BrokerSide::state() {
  if (!link_.is_connected() || !subscribed_) return "disconnected";
  return push_.is_comparing() ? "comparing" : "connected";
}

void BrokerSide::announce(std::int64_t reading) {
  link_.publish(names_.service(replica_),
                topics::encode_service_online(program_version(), replica_, leads_(), reading), true);
}

// On the library's receive thread.
void BrokerSide::take(const Incoming& incoming) {
  if (incoming.topic == kDropsTopic) return watch_drops(incoming.payload);
  if (incoming.topic == names_.service(replica_)) {
    if (!incoming.retained && topics::decode_service_reading(incoming.payload) == readings_)
      push_.saw_all_retained();
    return;
  }
  const auto topic = names_.parse(incoming.topic);
  if (!topic) return refusals_->count("topic", topic.error().message);
  if (topic->kind != DeviceTopic::offer) return desk_.take(*topic, incoming);
  if (incoming.retained) push_.saw_retained(topic->device_id, topics::decode_offer_attempt(incoming.payload));
}

void BrokerSide::watch_drops(const std::string& payload) {
  if (!drops_.empty() && payload != drops_) {
    spdlog::warn("broker: {} messages dropped so far; raise max_queued_messages", fleet::printable(payload));
  }
  drops_ = payload;
}

}  // namespace ota::bridge
