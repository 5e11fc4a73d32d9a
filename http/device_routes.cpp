#include <chrono>

#include "fleet/ids.hpp"
#include "fleet/parse_messages.hpp"
#include "fleet/strict_json.hpp"
#include "http/api.hpp"
#include "http/device_identity.hpp"
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

struct CheckForm {
  const fleet::DownloadUrls* urls = nullptr;
  std::string device_id;
  bool with_attempt = false;
};

Response check_reply(const fleet::Answer& answer, const CheckForm& form) {
  if (const auto* offer = std::get_if<fleet::OfferAnswer>(&answer))
    return ok_reply(check_json(*offer, form.urls->path(*offer, form.device_id), form.with_attempt));
  if (const auto* none = std::get_if<fleet::NoUpdateAnswer>(&answer)) return ok_reply(check_json(*none));
  if (std::holds_alternative<fleet::RevokedAnswer>(answer))
    return error_reply(403, fleet::RevokedAnswer::kReason);
  return error_reply(fleet::Error{fleet::ErrorKind::internal, "a check was answered as a report"});
}

Response report_reply(const fleet::Answer& answer) {
  if (std::holds_alternative<fleet::RevokedAnswer>(answer))
    return error_reply(403, fleet::RevokedAnswer::kReason);
  const auto* report = std::get_if<fleet::ReportAnswer>(&answer);
  if (report == nullptr)
    return error_reply(fleet::Error{fleet::ErrorKind::internal, "a report was answered as a check"});
  if (!report->recorded) return error_reply(409, "not recorded: " + report->reason);
  return ok_reply(status_json("Status reported successfully"));
}

}  // namespace

Response Api::refuse_message(const char* kind, const fleet::Error& error) const {
  if (ports_.count_refusal) ports_.count_refusal(kind, error.message);
  return error_reply(error);
}

Response Api::submit(Request& request, fleet::Message message, Encode encode) {
  // Who only claims to be the device must not use up what the device may send: a token speaks for itself. An
  // admin's order for a device counts for nobody.
  const auto speaker = message.token ? fleet::to_hex(*message.token) : message.device_id;
  if (ports_.may_speak && message.channel != fleet::Channel::internal &&
      !ports_.may_speak(message.device_id, speaker)) {
    return error_reply(429, "this device sends too many messages; let it wait between them");
  }
  const auto later = request.answer_later();
  if (!later) return error_reply(503, "too many devices ask at once");
  ports_.front_desk.submit(
      std::move(message), [later, encode = std::move(encode)](const Expected<fleet::Answer>& given) {
        // Encoded on the answering thread: this one goes on with the next batch.
        later([given, encode] { return given ? encode(*given) : error_reply(given.error()); });
      });
  return {};
}

Response Api::check(Request& request) {
  auto wanted = read_check(*request.params);
  if (!wanted) return refuse_message("check", wanted.error());
  auto proof = proof_to_test(request, wanted->device_id, options_.device_auth, ports_.sha256);
  if (!proof) return refuse_message("identity", proof.error());
  CheckForm form{&ports_.urls, wanted->device_id, wanted->with_attempt};
  auto serial = proving_serial(request, wanted->device_id, options_.device_auth);
  return submit(request,
                {std::move(wanted->device_id), fleet::Channel::rest, now(), std::move(wanted->check), *proof,
                 std::move(serial)},
                [form = std::move(form)](const fleet::Answer& answer) { return check_reply(answer, form); });
}

Response Api::report(Request& request) {
  auto device_id = fleet::parse_id("device_id", request.captured);
  if (!device_id) return refuse_message("status", device_id.error());
  auto proof = proof_to_test(request, *device_id, options_.device_auth, ports_.sha256);
  if (!proof) return refuse_message("identity", proof.error());
  auto report = fleet::parse_json(request.body).and_then([&](const fleet::JsonValue& body) {
    return fleet::parse_report(body, *device_id);
  });
  if (!report) return refuse_message("status", report.error());
  auto serial = proving_serial(request, *device_id, options_.device_auth);
  return submit(
      request,
      {std::move(*device_id), fleet::Channel::rest, now(), std::move(*report), *proof, std::move(serial)},
      report_reply);
}

// The signed manifest of a release, byte for byte, where an offer had no room for it. Open to everybody: it
// holds nothing secret, and what it says is vouched for by its signature and not by who fetches it.
Response Api::manifest(Request& request) {
  const auto version = fleet::parse_version_text("version", request.captured);
  if (!version) return error_reply(version.error());
  const auto model = id_param(*request.params, "device_model");
  if (!model) return error_reply(model.error());
  const auto catalog = ports_.catalog.catalog();
  const auto* release = catalog->find_release(*model, *version);
  if (release == nullptr || release->manifest.empty()) {
    return error_reply(404, "there is no signed manifest of version " + *version + " of " + *model);
  }
  Response response;
  response.body = release->manifest;
  response.content_type = "text/plain; charset=utf-8";
  return response;
}

}  // namespace ota::http
