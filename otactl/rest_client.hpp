#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "fleet/expected.hpp"

namespace ota::otactl {

/// Where the server is and how it knows the admin. A key never stands on the command line, which every user
/// of the machine can read.
struct ServerOptions {
  std::string url;           ///< --url or OTA_URL
  std::string api_key_file;  ///< --api-key-file; empty: the key is in the environment, API_KEY
  std::string ca_file;       ///< --ca or OTA_CA; empty: the system's certificate authorities
};

/// Adds --url, --api-key-file and --ca to `app`; its subcommands take them too when they fall through.
void add_server_options(CLI::App& app, ServerOptions& options);

/// The server's REST API for an admin. Not thread safe.
class RestClient {
 public:
  /// `invalid` when the URL or the key is missing or wrong.
  [[nodiscard]] static fleet::Expected<RestClient> open(const ServerOptions& options);
  /// The same, or ends the command with the reason.
  [[nodiscard]] static RestClient open_or_end(const ServerOptions& options);

  ~RestClient();
  RestClient(RestClient&& other) noexcept;
  RestClient& operator=(RestClient&&) = delete;

  /// The JSON of a 2xx answer. `unavailable` when no answer came (or a 503); else a kind after the status,
  /// with the server's own sentence. `path` begins with '/'; what it takes from outside goes through
  /// segment().
  [[nodiscard]] fleet::Expected<nlohmann::json> get(const std::string& path);
  [[nodiscard]] fleet::Expected<nlohmann::json> post(const std::string& path, const nlohmann::json& body);
  [[nodiscard]] fleet::Expected<nlohmann::json> patch(const std::string& path, const nlohmann::json& body);
  [[nodiscard]] fleet::Expected<nlohmann::json> remove(const std::string& path);

  /// `text` as one segment of a path, or one value of a query: everything odd is percent-encoded.
  [[nodiscard]] static std::string segment(const std::string& text);

 private:
  struct State;
  explicit RestClient(std::unique_ptr<State> state);
  [[nodiscard]] fleet::Expected<nlohmann::json> send(const char* method, const std::string& path,
                                                     const nlohmann::json* body);
  std::unique_ptr<State> state_;
};

/// What a request answered, or ends the command with the server's sentence.
[[nodiscard]] nlohmann::json value_or_end(fleet::Expected<nlohmann::json> answer);

}  // namespace ota::otactl
