#include "bridge/device_desk.hpp"

#include <spdlog/spdlog.h>

#include "topics/payloads.hpp"

namespace ota::bridge {
namespace {

using topics::DeviceTopic;

}  // namespace

void DeviceDesk::take(const topics::ParsedTopic& topic, const Incoming& incoming) {
  // The echo of a clearing; only a cleared presence says something.
  const bool is_cleared = incoming.payload.empty() && incoming.retained;
  if (is_cleared && topic.kind != DeviceTopic::presence) return;
  if (!ports_.rate->admit(topic.device_id, ports_.now())) {
    // No word at all: an ack would be final, so a device that only was too fast says it again.
    return ports_.refusals->count("rate", topic.device_id + " sends too many messages");
  }
  const bool moves_something = topic.kind == DeviceTopic::check || topic.kind == DeviceTopic::status;
  if (incoming.retained && moves_something) return refuse_retained(topic, incoming);
  switch (topic.kind) {
    case DeviceTopic::check:
      return take_check(topic.device_id, incoming.payload);
    case DeviceTopic::status:
      return take_report(topic.device_id, incoming.payload);
    case DeviceTopic::presence:
      return take_presence(topic.device_id, incoming);
    case DeviceTopic::offer:
    case DeviceTopic::ack:
      return;  // ours to write
  }
}

// The broker would repeat it for ever: dropped, counted and cleared (contract section 4).
void DeviceDesk::refuse_retained(const topics::ParsedTopic& topic, const Incoming& incoming) {
  constexpr char kWhy[] = "publish this without the retain flag; a retained message is not taken";
  ports_.refusals->count("retained request", incoming.topic);
  ports_.link->publish(incoming.topic, "", true);
  if (topic.kind == DeviceTopic::status) {
    const auto report_id = topics::salvage_report_id(incoming.payload).value_or("");
    return send_ack(topic.device_id, report_id, false, kWhy);
  }
  ports_.link->publish(ports_.names->device(topic.device_id, DeviceTopic::offer),
                       topics::encode_refusal(kWhy), false);
}

void DeviceDesk::take_check(const std::string& device_id, const std::string& payload) {
  auto check = topics::decode_check(payload);
  const auto offer_topic = ports_.names->device(device_id, DeviceTopic::offer);
  if (!check) {
    refuse(device_id, "check", check.error());
    ports_.link->publish(offer_topic, topics::encode_refusal(check.error().message), false);
    return;
  }
  ports_.inbox->submit({device_id, fleet::Channel::mqtt, ports_.now(), std::move(*check)},
                       [this, device_id, offer_topic](const fleet::Expected<fleet::Answer>& answer) {
                         if (!answer) return refuse(device_id, "check", answer.error());
                         if (const auto* offer = std::get_if<fleet::OfferAnswer>(&*answer)) {
                           ports_.publisher->answer(device_id, *offer);
                         } else if (const auto* none = std::get_if<fleet::NoUpdateAnswer>(&*answer)) {
                           SPDLOG_DEBUG("{}: no update: {}", device_id, none->reason);
                           ports_.link->publish(offer_topic, topics::encode_no_update(*none), false);
                         } else if (std::holds_alternative<fleet::RevokedAnswer>(*answer)) {
                           refuse(device_id, "revoked", {fleet::ErrorKind::forbidden, "sends a check"});
                           ports_.link->publish(offer_topic,
                                                topics::encode_refusal(fleet::RevokedAnswer::kReason), false);
                         }
                       });
}

void DeviceDesk::take_report(const std::string& device_id, const std::string& payload) {
  auto report = topics::decode_report(payload, device_id);
  if (!report) {
    refuse(device_id, "status", report.error());
    return send_ack(device_id, topics::salvage_report_id(payload).value_or(""), false,
                    report.error().message);
  }
  const auto report_id = report->report_id;
  ports_.inbox->submit({device_id, fleet::Channel::mqtt, ports_.now(), std::move(*report)},
                       [this, device_id, report_id](const fleet::Expected<fleet::Answer>& answer) {
                         // Without a commit there is no word at all, unless the row itself was refused for
                         // good.
                         if (!answer && answer.error().kind != fleet::ErrorKind::invalid) {
                           return refuse(device_id, "status", answer.error());
                         }
                         if (!report_id) return;
                         if (!answer) return send_ack(device_id, *report_id, false, answer.error().message);
                         if (std::holds_alternative<fleet::RevokedAnswer>(*answer)) {
                           refuse(device_id, "revoked", {fleet::ErrorKind::forbidden, "sends a report"});
                           return send_ack(device_id, *report_id, false, fleet::RevokedAnswer::kReason);
                         }
                         const auto* told = std::get_if<fleet::ReportAnswer>(&*answer);
                         if (told != nullptr) send_ack(device_id, *report_id, told->recorded, told->reason);
                       });
}

void DeviceDesk::take_presence(const std::string& device_id, const Incoming& incoming) {
  // A presence that was cleared says what a last will would.
  const auto presence =
      incoming.payload.empty() ? fleet::Presence{false} : topics::decode_presence(incoming.payload);
  if (!presence) {
    // Left standing, it would be refused again after every connect.
    if (incoming.retained) ports_.link->publish(incoming.topic, "", true);
    return refuse(device_id, "presence", presence.error());
  }
  ports_.inbox->submit({device_id, fleet::Channel::mqtt, ports_.now(), *presence},
                       [this, device_id](const fleet::Expected<fleet::Answer>& answer) {
                         if (!answer) refuse(device_id, "presence", answer.error());
                       });
}

void DeviceDesk::refuse(const std::string& device_id, const char* kind, const fleet::Error& error) {
  ports_.refusals->count(kind, device_id + ": " + error.message);
}

void DeviceDesk::send_ack(const std::string& device_id, const std::string& report_id, bool recorded,
                          const std::string& reason) {
  ports_.link->publish(ports_.names->device(device_id, DeviceTopic::ack),
                       topics::encode_ack(report_id, recorded, reason), false);
}

}  // namespace ota::bridge
