#include "otactl/rest_client.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "otactl/command.hpp"

namespace ota::otactl {
namespace {

using fleet::ErrorKind;
using fleet::Expected;
using nlohmann::json;

constexpr long kConnectSeconds = 10;
constexpr long kAnswerSeconds = 60;
constexpr std::size_t kAnswerBytesMax = std::size_t{64} * 1024 * 1024;

struct Free {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Headers = std::unique_ptr<curl_slist, Free>;

void add(Headers& headers, const std::string& line) {
  headers.reset(curl_slist_append(headers.release(), line.c_str()));
}

// libcurl's: taking fewer bytes than given ends the transfer.
std::size_t take(char* data, std::size_t size, std::size_t count, void* body) {
  auto& text = *static_cast<std::string*>(body);
  if (text.size() + size * count > kAnswerBytesMax) return 0;
  text.append(data, size * count);
  return size * count;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// A key that could become more than one header line is no key.
bool is_header_value(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

ErrorKind kind_of(long status) {
  switch (status) {
    case 400:
      return ErrorKind::malformed;
    case 404:
      return ErrorKind::not_found;
    case 409:
      return ErrorKind::conflict;
    case 413:
      return ErrorKind::too_large;
    case 429:
    case 503:
      return ErrorKind::unavailable;
    case 500:
      return ErrorKind::internal;
    default:
      return ErrorKind::invalid;
  }
}

std::string sentence_of(const json& answer, long status) {
  const auto number = "HTTP status " + std::to_string(status);
  const bool has_detail = answer.is_object() && answer.contains("detail") && answer["detail"].is_string();
  return has_detail
             ? answer["detail"].get<std::string>() + " (" + number + ")"
             : "the server answered " + number + " without a reason; is this the URL of an OTA Bridge?";
}

}  // namespace

struct RestClient::State {
  std::unique_ptr<CURL, Free> curl;
  std::string url;  // without a slash at its end
  std::string api_key;
  std::string ca_file;
};

void add_server_options(CLI::App& app, ServerOptions& options) {
  app.add_option("--url", options.url, "The server, such as https://ota.example.com")->envname("OTA_URL");
  app.add_option(
         "--api-key-file", options.api_key_file,
         "File whose first line is the admin's key; without it the key is in the environment, API_KEY")
      ->check(CLI::ExistingFile);
  app.add_option("--ca", options.ca_file, "Certificate file that an https server is verified against")
      ->envname("OTA_CA")
      ->check(CLI::ExistingFile);
}

RestClient::RestClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
RestClient::~RestClient() = default;
RestClient::RestClient(RestClient&& other) noexcept = default;

Expected<RestClient> RestClient::open(const ServerOptions& options) {
  auto state = std::make_unique<State>();
  state->url = options.url;
  while (!state->url.empty() && state->url.back() == '/') state->url.pop_back();
  if (state->url.empty()) return fleet::fail(ErrorKind::invalid, "name the server by --url or OTA_URL");
  if (state->url.rfind("http://", 0) != 0 && state->url.rfind("https://", 0) != 0) {
    return fleet::fail(ErrorKind::invalid, "the server's URL must begin with https:// or http://");
  }
  state->api_key =
      options.api_key_file.empty() ? environment("API_KEY") : read_first_line(options.api_key_file);
  if (state->api_key.empty()) {
    return fleet::fail(ErrorKind::invalid, "give the admin's key by --api-key-file or API_KEY");
  }
  if (!is_header_value(state->api_key)) {
    return fleet::fail(ErrorKind::invalid, "the admin's key holds spaces or characters beyond ASCII");
  }
  state->ca_file = options.ca_file;
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  if (ready) state->curl.reset(curl_easy_init());
  if (!state->curl) return fleet::fail(ErrorKind::internal, "libcurl does not start");
  return RestClient(std::move(state));
}

RestClient RestClient::open_or_end(const ServerOptions& options) {
  auto client = open(options);
  if (!client) end_with(client.error().message);
  return std::move(*client);
}

Expected<json> RestClient::get(const std::string& path) {
  return send("GET", path, nullptr);
}
Expected<json> RestClient::post(const std::string& path, const json& body) {
  return send("POST", path, &body);
}
Expected<json> RestClient::patch(const std::string& path, const json& body) {
  return send("PATCH", path, &body);
}
Expected<json> RestClient::remove(const std::string& path) {
  return send("DELETE", path, nullptr);
}

Expected<json> RestClient::send(const char* method, const std::string& path, const json* body) {
  auto* curl = state_->curl.get();
  curl_easy_reset(curl);  // keeps the connection
  Headers headers;
  add(headers, "X-API-Key: " + state_->api_key);
  // What is no UTF-8 must not end in an exception; the server refuses what stands for it where it matters.
  const auto sent =
      body == nullptr ? std::string() : body->dump(-1, ' ', false, json::error_handler_t::replace);
  if (body != nullptr) {
    add(headers, "Content-Type: application/json");
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(sent.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, sent.c_str());
  }
  std::string answer;
  std::array<char, CURL_ERROR_SIZE> why{};
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
  curl_easy_setopt(curl, CURLOPT_URL, (state_->url + path).c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &take);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why.data());
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, kAnswerSeconds);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  // Redirects are not followed: the key would go wherever they lead.
  if (!state_->ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, state_->ca_file.c_str());
  const auto done = curl_easy_perform(curl);
  if (done != CURLE_OK) {
    const std::string reason = why.front() == '\0' ? curl_easy_strerror(done) : why.data();
    return fleet::fail(ErrorKind::unavailable, state_->url + " does not answer: " + reason);
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  auto parsed = json::parse(answer, nullptr, /*allow_exceptions=*/false);
  if (status < 200 || status > 299) return fleet::fail(kind_of(status), sentence_of(parsed, status));
  if (parsed.is_discarded()) {
    return fleet::fail(ErrorKind::internal,
                       state_->url + " answered no JSON; is this the URL of an OTA Bridge?");
  }
  return parsed;
}

std::string RestClient::segment(const std::string& text) {
  const std::unique_ptr<char, decltype(&curl_free)> escaped(
      curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size())), &curl_free);
  return escaped ? escaped.get() : "";
}

json value_or_end(Expected<json> answer) {
  if (!answer) end_with(answer.error().message);
  return std::move(*answer);
}

}  // namespace ota::otactl
