#include <chrono>
#include <future>

#include "fleet/ids.hpp"
#include "fleet/parse_messages.hpp"
#include "fleet/strict_json.hpp"
#include "http/api.hpp"
#include "http/params.hpp"
#include "http/replies.hpp"

namespace ota::http {
namespace {

using fleet::Expected;

fleet::Time now() {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

struct CheckRequest {
  std::string device_id;
  fleet::Check check;
  bool with_attempt = false;
};

Expected<CheckRequest> read_check(const Params& params) {
  CheckRequest request;
  auto device_id = id_param(params, "device_id");
  if (!device_id) return tl::unexpected(device_id.error());
  request.device_id = std::move(*device_id);
  const auto model = required_param(params, "device_model");
  if (!model) return tl::unexpected(model.error());
  const auto version = version_param(params, "current_version");
  if (!version) return tl::unexpected(version.error());
  const auto boot_id = optional_param(params, "boot_id");
  if (!boot_id) return tl::unexpected(boot_id.error());
  const auto mac = optional_param(params, "mac");
  if (!mac) return tl::unexpected(mac.error());
  auto check = fleet::make_check(*model, *version, *boot_id, *mac);
  if (!check) return tl::unexpected(check.error());
  request.check = std::move(*check);
  const auto manifest = flag_param(params, "manifest");
  if (!manifest) return tl::unexpected(manifest.error());
  request.with_attempt = *manifest;
  return request;
}

}  // namespace

Expected<fleet::Answer> Api::ask(fleet::Message message) {
  // Shared with the reply, which may come after this call has given up.
  const auto answer = std::make_shared<std::promise<Expected<fleet::Answer>>>();
  auto future = answer->get_future();
  ports_.front_desk.submit(std::move(message),
                           [answer](const Expected<fleet::Answer>& given) { answer->set_value(given); });
  if (future.wait_for(options_.answer_timeout) != std::future_status::ready) {
    return fleet::fail(fleet::ErrorKind::unavailable,
                       "the database does not answer in time; nothing may have been recorded, try again");
  }
  return future.get();
}

Response Api::check(Request& request) {
  auto wanted = read_check(*request.params);
  if (!wanted) return error_reply(wanted.error());
  const bool with_attempt = wanted->with_attempt;
  const auto answer =
      ask({std::move(wanted->device_id), fleet::Channel::rest, now(), std::move(wanted->check)});
  if (!answer) return error_reply(answer.error());
  if (const auto* offer = std::get_if<fleet::OfferAnswer>(&*answer)) {
    return ok_reply(check_json(*offer, with_attempt));
  }
  if (const auto* none = std::get_if<fleet::NoUpdateAnswer>(&*answer)) return ok_reply(check_json(*none));
  return error_reply(500, "internal error: a check was answered as a report");
}

Response Api::report(Request& request) {
  auto device_id = fleet::parse_id("device_id", request.captured);
  if (!device_id) return error_reply(device_id.error());
  auto report = fleet::parse_json(request.body).and_then([&](const fleet::JsonValue& body) {
    return fleet::parse_report(body, *device_id);
  });
  if (!report) return error_reply(report.error());
  const auto answer = ask({std::move(*device_id), fleet::Channel::rest, now(), std::move(*report)});
  if (!answer) return error_reply(answer.error());
  const auto* recorded = std::get_if<fleet::ReportAnswer>(&*answer);
  if (recorded == nullptr) return error_reply(500, "internal error: a report was answered as a check");
  if (!recorded->recorded) return error_reply(409, "not recorded: " + recorded->reason);
  return ok_reply(status_json("Status reported successfully"));
}

}  // namespace ota::http
