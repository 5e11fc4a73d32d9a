#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "tests/support/stack.hpp"

namespace ota::test_support {

struct RestAnswer {
  long status = 0;  ///< 0: no connection
  std::string body;
  [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(body, nullptr, false); }
};

/// REST calls against a stack's bridge, as curl would make them. Not thread safe.
class RestClient {
 public:
  explicit RestClient(const Stack& stack) : RestClient(stack, stack.env("API_KEY")) {}
  RestClient(const Stack& stack, std::string key)
      : url_(stack.env("OTA_URL")),
        key_(std::move(key)),
        ca_(stack.has_env("OTA_CA") ? stack.env("OTA_CA") : "") {}

  RestAnswer get(const std::string& path);
  RestAnswer post(const std::string& path, const nlohmann::json& body) {
    return send("POST", path, body.dump());
  }
  RestAnswer patch(const std::string& path, const nlohmann::json& body) {
    return send("PATCH", path, body.dump());
  }
  RestAnswer erase(const std::string& path) { return send("DELETE", path, ""); }
  /// `manifest`: empty for an unsigned image.
  RestAnswer upload(const std::string& version, const std::string& model, const std::string& image,
                    const std::string& manifest = "");

  /// A release with these bytes and a rollout of it to all; answers the rollout's id. Throws when refused.
  std::int64_t release_to_all(const std::string& version, const std::string& model, const std::string& image);

 private:
  RestAnswer send(const std::string& method, const std::string& path, const std::string& body);
  std::string url_;
  std::string key_;
  std::string ca_;  ///< empty: plain HTTP
};

}  // namespace ota::test_support
