#include "fleet/ids.hpp"
#include "fleet/iso_time.hpp"
#include "fleet/parse_messages.hpp"
#include "fleet/strict_json.hpp"
#include "fleet/targeting.hpp"
#include "fleet/version.hpp"
#include "http/admin_replies.hpp"
#include "http/api.hpp"
#include "http/blocks.hpp"
#include "http/device_admin_body.hpp"
#include "http/params.hpp"
#include "http/replies.hpp"
#include "http/rollout_body.hpp"
#include "http/routes.hpp"

namespace ota::http {
namespace {

using fleet::Expected;

Expected<std::string> device_id(const Request& request) {
  return fleet::parse_id("device_id", request.captured);
}

// What came of a rollout for a device that was decided anew.
OfferOutcome outcome_of(std::int64_t rollout_id, const fleet::Answer& answer) {
  OfferOutcome outcome{rollout_id, false, {}};
  if (const auto* offer = std::get_if<fleet::OfferAnswer>(&answer)) {
    outcome.offered = offer->rollout_id == rollout_id;
    outcome.text = outcome.offered ? "offered " + offer->release->version
                                   : "its update to " + offer->release->version + " by rollout " +
                                         std::to_string(offer->rollout_id) + " is to end first";
  } else if (const auto* none = std::get_if<fleet::NoUpdateAnswer>(&answer)) {
    outcome.text = none->reason;
  } else if (std::holds_alternative<fleet::RevokedAnswer>(answer)) {
    outcome.text = fleet::RevokedAnswer::kReason;
  } else {
    outcome.text = std::get<fleet::ReportAnswer>(answer).reason;
  }
  return outcome;
}

}  // namespace

Response Api::show_device(Request& request) {
  const auto id = device_id(request);
  if (!id) return error_reply(id.error());
  const auto details = ports_.devices.find_device(*id);
  return details ? ok_reply(device_json(*details)) : error_reply(details.error());
}

Response Api::explain_device(Request& request) {
  const auto id = device_id(request);
  if (!id) return error_reply(id.error());
  const auto details = ports_.devices.find_device(*id);
  if (!details) return error_reply(details.error());
  const auto catalog = ports_.catalog.catalog();
  std::vector<fleet::Considered> considered;
  const auto around = circumstances();
  const auto decision = fleet::decide(details->device, *catalog, around, &considered);
  Explanation explanation{&decision, &considered, {}, blocks_of(details->device, decision, *catalog, around)};
  for (const auto& one : considered) {
    explanation.buckets.push_back(fleet::bucket_of(*id, one.rollout->target.salt, ports_.sha256));
  }
  return ok_reply(explanation_json(*details, explanation));
}

Response Api::patch_device(Request& request) {
  auto id = device_id(request);
  if (!id) return error_reply(id.error());
  auto patch = fleet::parse_json(request.body).and_then(read_device_patch);
  if (!patch) return error_reply(patch.error());
  patch->by = request.actor;
  if (auto patched = ports_.devices.patch_device(*id, *patch); !patched) return error_reply(patched.error());
  return submit(request, {std::move(*id), fleet::Channel::internal, ports_.now(), fleet::Settle{}},
                [](const fleet::Answer&) { return ok_reply(status_json("Device updated successfully")); });
}

Response Api::delete_device(Request& request) {
  const auto id = device_id(request);
  if (!id) return error_reply(id.error());
  if (auto deleted = ports_.devices.delete_device(*id, request.actor); !deleted)
    return error_reply(deleted.error());
  if (ports_.forget_device) ports_.forget_device(*id);
  return ok_reply(status_json("Device deleted successfully"));
}

// "Update this device now" is a rollout for it alone, watched like any other.
Response Api::offer_to_device(Request& request) {
  auto id = device_id(request);
  if (!id) return error_reply(id.error());
  const auto body = read_order(request.body, "why firmware_version");
  if (!body) return error_reply(body.error());
  const auto details = ports_.devices.find_device(*id);
  if (!details) return error_reply(details.error());
  const auto& model = details->device.model;
  const auto catalog = ports_.catalog.catalog();
  const auto* release =
      body->version.empty() ? catalog->latest(model) : catalog->find_release(model, body->version);
  if (release == nullptr) {
    return error_reply(404, "device_model " + model + " has no release" +
                                (body->version.empty() ? std::string() : " " + body->version));
  }
  if (auto is_signed = test_signed(model, release->version); !is_signed)
    return error_reply(is_signed.error());
  fleet::NewRollout rollout;
  rollout.name = "offer " + *id + " " + release->version + " " + fleet::to_iso(ports_.now());
  rollout.version = release->version;
  rollout.model = model;
  rollout.target_type = "specific";
  rollout.target_filter_json =
      fleet::to_json({fleet::JsonValue::Object{{"device_ids", {fleet::JsonValue::Array{{*id}}}}}});
  rollout.by = request.actor;
  const auto made = ports_.rollouts.create_rollout(rollout);
  if (!made) return error_reply(made.error());
  const auto& pin = details->device.pinned_version;
  const bool is_pinned_away =
      !pin.empty() && fleet::compare_versions(pin, release->version) != fleet::Order::same;
  return submit(request, {std::move(*id), fleet::Channel::internal, ports_.now(), fleet::Settle{}},
                [rollout_id = *made, pin = is_pinned_away ? pin : ""](const fleet::Answer& answer) {
                  auto outcome = outcome_of(rollout_id, answer);
                  if (!pin.empty()) outcome.text = "pinned to " + pin + ": this waits until the pin is gone";
                  return ok_reply(offered_json(outcome));
                });
}

Response Api::change_group(Request& request) {
  auto change =
      fleet::parse_json(request.body, fleet::kLongJsonBytesMax).and_then([&](const fleet::JsonValue& body) {
        return read_group_change(request.captured, body);
      });
  if (!change) return error_reply(change.error());
  change->by = request.actor;
  const auto changed = ports_.devices.change_group(*change);
  if (!changed) return error_reply(changed.error());
  settle(changed->changed);
  return ok_reply(group_json(*changed));
}

}  // namespace ota::http
