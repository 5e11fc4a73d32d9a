#include <nlohmann/json.hpp>

#include "http/api.hpp"
#include "http/params.hpp"
#include "http/replies.hpp"

namespace ota::http {
namespace {

// A scraper names the text formats it reads; a plain client names JSON, everything, or nothing.
bool wants_exposition(std::string_view accept) {
  return accept.find("application/json") == std::string_view::npos &&
         (accept.find("text/plain") != std::string_view::npos ||
          accept.find("application/openmetrics-text") != std::string_view::npos);
}

std::string revocation_lines(const RevocationHealth& revocation) {
  return "# HELP ota_crl_seconds_left Until the revocation list ends and the broker refuses every device.\n"
         "# TYPE ota_crl_seconds_left gauge\nota_crl_seconds_left " +
         std::to_string(revocation.seconds_left) +
         "\n# HELP ota_crl_alarm 1 when the list is not kept or not in force as it should be.\n"
         "# TYPE ota_crl_alarm gauge\nota_crl_alarm " +
         (revocation.problem.empty() ? "0" : "1") + "\n";
}

}  // namespace

std::optional<RevocationHealth> Api::revocation_health() const {
  if (!ports_.identity.revocation) return std::nullopt;
  return ports_.identity.revocation();
}

Response Api::health(Request&) {
  const auto database = ports_.fleet.ping();
  nlohmann::ordered_json json = {{"status", database ? "healthy" : "unhealthy"},
                                 {"database", database ? "connected" : "disconnected"}};
  if (ports_.health) json["mqtt"] = ports_.health().mqtt;
  if (const auto revocation = revocation_health()) {
    json["revocation_list"] = {{"status", revocation->problem.empty() ? "ok" : "alarm"},
                               {"seconds_left", revocation->seconds_left}};
    if (!revocation->problem.empty()) json["revocation_list"]["detail"] = revocation->problem;
  }
  if (!options_.version.empty()) json["version"] = options_.version;
  Response response;
  if (!database) {
    response = error_reply(503, "the database does not answer");
    json["detail"] = "the database does not answer";
  }
  response.body = json.dump();
  return response;
}

Response Api::metrics(Request& request) {
  const auto format = optional_param(*request.params, "format");
  if (!format) return error_reply(format.error());
  if (!format->empty() && *format != "prometheus" && *format != "json") {
    return error_reply(422, "format must be json or prometheus");
  }
  const bool exposition =
      format->empty() ? wants_exposition(request.header("Accept").value_or("")) : *format == "prometheus";
  const auto summary = ports_.fleet.recent_summary();
  if (!summary) return error_reply(summary.error());
  Response response;
  response.body = exposition ? metrics_prometheus(*summary) : metrics_json(*summary);
  if (exposition) {
    if (ports_.prometheus) response.body += ports_.prometheus();
    if (const auto revocation = revocation_health()) response.body += revocation_lines(*revocation);
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  }
  return response;
}

// Public, as its signature is all that counts: for whoever verifies devices' certificates elsewhere.
Response Api::revocation_list(Request&) {
  if (!ports_.identity.revocation_list)
    return error_reply(404, "this bridge keeps no revocation list (CRL_FILE)");
  auto list = ports_.identity.revocation_list();
  if (!list) return error_reply(list.error());
  Response response;
  response.body = std::move(*list);
  response.content_type = "application/pkix-crl";
  return response;
}

}  // namespace ota::http
