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

}  // namespace

Response Api::health(Request&) {
  const auto database = ports_.fleet.ping();
  nlohmann::ordered_json json = {{"status", database ? "healthy" : "unhealthy"},
                                 {"database", database ? "connected" : "disconnected"}};
  if (ports_.health) json["mqtt"] = ports_.health().mqtt_connected ? "connected" : "disconnected";
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
  const auto summary = ports_.fleet.summary();
  if (!summary) return error_reply(summary.error());
  Response response;
  response.body = exposition ? metrics_prometheus(*summary) : metrics_json(*summary);
  if (exposition) {
    if (ports_.prometheus) response.body += ports_.prometheus();
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  }
  return response;
}

}  // namespace ota::http
