#include "esp-client/host/enrolment.hpp"

#include <curl/curl.h>
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "esp-client/host/device_key.hpp"

namespace ota::device::host {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr long kTimeoutSeconds = 30;
constexpr std::size_t kAnswerBytesMax = 65536;

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Whole or not at all, and nobody else's to read from its first byte on.
void write(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".part";
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written = file >= 0 &&
                       ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(file) == 0;
  if (file >= 0) ::close(file);
  if (!written || ::rename(fresh.c_str(), path.c_str()) != 0)
    throw std::runtime_error("cannot write " + path);
}

std::size_t take(char* bytes, std::size_t size, std::size_t count, void* body) {
  auto& text = *static_cast<std::string*>(body);
  if (text.size() + size * count > kAnswerBytesMax) return 0;
  text.append(bytes, size * count);
  return size * count;
}

struct Ask {
  std::string url;
  json body;
  std::string ca;  // empty: the system's
  std::string cert;
  std::string key;
};

// Which file to give where the server is not trusted.
std::string advice(CURLcode code, const std::string& ca) {
  if (code != CURLE_PEER_FAILED_VERIFICATION && code != CURLE_SSL_CACERT_BADFILE) return {};
  return " (trusted " + (ca.empty() ? "are the system's authorities" : "is " + ca) +
         "); give the certificate of the server's authority by --http-ca";
}

json post(const Ask& ask) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), curl_easy_cleanup);
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(
      curl_slist_append(nullptr, "Content-Type: application/json"), curl_slist_free_all);
  const std::string body = ask.body.dump();
  std::string answer;
  curl_easy_setopt(curl.get(), CURLOPT_URL, ask.url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, body.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, kTimeoutSeconds);
  curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer);
  if (!ask.ca.empty()) curl_easy_setopt(curl.get(), CURLOPT_CAINFO, ask.ca.c_str());
  if (!ask.cert.empty()) {
    curl_easy_setopt(curl.get(), CURLOPT_SSLCERT, ask.cert.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_SSLKEY, ask.key.c_str());
  }
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK)
    throw std::runtime_error(ask.url + ": " + curl_easy_strerror(code) + advice(code, ask.ca));
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  json parsed = json::parse(answer, nullptr, false);
  if (status == 200 && parsed.is_object() && parsed.contains("certificate") &&
      parsed["certificate"].is_string())
    return parsed;
  const bool has_detail = parsed.is_object() && parsed.contains("detail") && parsed["detail"].is_string();
  throw std::runtime_error(ask.url + ": " + (has_detail ? parsed["detail"].get<std::string>() : "HTTP") +
                           " (" + std::to_string(status) + ")");
}

// The key and the request for it, as a try before has left them or new.
struct Pending {
  std::string key_file;
  std::string csr_file;
  std::string csr;
};

Pending prepare(const std::string& device_id, const IdentityFiles& files) {
  Pending pending{files.key + ".new", files.key + ".csr", ""};
  if (fs::exists(pending.key_file) && fs::exists(pending.csr_file)) {
    pending.csr = read(pending.csr_file);
    return pending;
  }
  const auto key = make_key_pem();
  pending.csr = make_csr_pem(key, device_id);
  write(pending.key_file, key);
  write(pending.csr_file, pending.csr);
  return pending;
}

// After a power cut between the certificate and its key.
void finish_adopting(const IdentityFiles& files) {
  const auto fresh = files.key + ".new";
  if (!fs::exists(files.cert) || !fs::exists(fresh) || !is_pair(read(files.cert), read(fresh))) return;
  fs::rename(fresh, files.key);
  fs::remove(files.key + ".csr");
}

// The certificate goes first: finish_adopting then knows to whom the key beside it belongs.
void adopt(const Pending& pending, const json& answer, const IdentityFiles& files) {
  if (answer.contains("ca") && answer["ca"].is_string() && !files.ca.empty() && !fs::exists(files.ca))
    write(files.ca, answer["ca"].get<std::string>());
  write(files.cert, answer["certificate"].get<std::string>());
  fs::rename(pending.key_file, files.key);
  fs::remove(pending.csr_file);
}

std::string trust_of(const EnrolOptions& options) {
  return !options.server_ca.empty() && fs::exists(options.server_ca) ? options.server_ca : std::string();
}

void enroll(const EnrolOptions& options, const std::string& device_id, const IdentityFiles& files) {
  const auto pending = prepare(device_id, files);
  json body = {{"device_id", device_id}, {"token", options.token}, {"csr", pending.csr}};
  if (!options.model.empty()) body["device_model"] = options.model;
  adopt(pending, post({options.enroll_url + "/api/device/enroll", body, trust_of(options), "", ""}), files);
  spdlog::info("{}: enrolled", device_id);
}

void renew(const EnrolOptions& options, const std::string& device_id, const IdentityFiles& files) {
  const auto pending = prepare(device_id, files);
  adopt(pending,
        post({options.renew_url + "/api/device/renew",
              {{"csr", pending.csr}},
              trust_of(options),
              files.cert,
              files.key}),
        files);
  spdlog::info("{}: certificate renewed", device_id);
}

}  // namespace

void ensure_identity(const EnrolOptions& options, const std::string& device_id, const IdentityFiles& files) {
  finish_adopting(files);
  if (!fs::exists(files.cert) || !fs::exists(files.key)) {
    if (!options.enroll_url.empty()) enroll(options, device_id, files);
    return;
  }
  if (options.renew_url.empty()) return;
  const auto life = lifetime_of(read(files.cert));
  const auto now_s = static_cast<std::uint64_t>(std::time(nullptr));
  if (now_s + (life.until_s - life.from_s) / 3 < life.until_s) return;
  try {
    renew(options, device_id, files);
  } catch (const std::exception& error) {
    if (now_s >= life.until_s) throw;
    spdlog::warn("{}: the certificate is not renewed: {}", device_id, error.what());
  }
}

}  // namespace ota::device::host
