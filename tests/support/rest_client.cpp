#include "tests/support/rest_client.hpp"

#include <curl/curl.h>

#include <memory>
#include <stdexcept>

namespace ota::test_support {
namespace {

struct Handle {
  Handle() : curl(curl_easy_init()) {}
  ~Handle() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  CURL* curl;
  curl_slist* headers = nullptr;
};

std::size_t append(char* data, std::size_t size, std::size_t count, void* body) {
  static_cast<std::string*>(body)->append(data, size * count);
  return size * count;
}

RestAnswer perform(Handle& handle, const std::string& url, const std::string& ca) {
  RestAnswer answer;
  curl_easy_setopt(handle.curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle.curl, CURLOPT_HTTPHEADER, handle.headers);
  curl_easy_setopt(handle.curl, CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(handle.curl, CURLOPT_WRITEDATA, &answer.body);
  curl_easy_setopt(handle.curl, CURLOPT_TIMEOUT, 60L);
  curl_easy_setopt(handle.curl, CURLOPT_NOPROXY, "*");
  if (!ca.empty()) curl_easy_setopt(handle.curl, CURLOPT_CAINFO, ca.c_str());
  if (curl_easy_perform(handle.curl) == CURLE_OK) {
    curl_easy_getinfo(handle.curl, CURLINFO_RESPONSE_CODE, &answer.status);
  }
  return answer;
}

}  // namespace

RestAnswer RestClient::get(const std::string& path) {
  Handle handle;
  handle.headers = curl_slist_append(handle.headers, ("X-API-Key: " + key_).c_str());
  return perform(handle, url_ + path, ca_);
}

RestAnswer RestClient::send(const std::string& method, const std::string& path, const std::string& body) {
  Handle handle;
  handle.headers = curl_slist_append(handle.headers, ("X-API-Key: " + key_).c_str());
  handle.headers = curl_slist_append(handle.headers, "Content-Type: application/json");
  curl_easy_setopt(handle.curl, CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(handle.curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
  curl_easy_setopt(handle.curl, CURLOPT_POSTFIELDS, body.c_str());
  return perform(handle, url_ + path, ca_);
}

RestAnswer RestClient::upload(const std::string& version, const std::string& model, const std::string& image,
                              const std::string& manifest) {
  Handle handle;
  handle.headers = curl_slist_append(handle.headers, ("X-API-Key: " + key_).c_str());
  const std::unique_ptr<curl_mime, decltype(&curl_mime_free)> form(curl_mime_init(handle.curl),
                                                                   curl_mime_free);
  auto* part = curl_mime_addpart(form.get());
  curl_mime_name(part, "file");
  curl_mime_filename(part, "app.bin");
  curl_mime_data(part, image.data(), image.size());
  if (!manifest.empty()) {
    auto* signed_part = curl_mime_addpart(form.get());
    curl_mime_name(signed_part, "manifest");
    curl_mime_data(signed_part, manifest.data(), manifest.size());
  }
  curl_easy_setopt(handle.curl, CURLOPT_MIMEPOST, form.get());
  return perform(handle, url_ + "/api/admin/firmware/upload?version=" + version + "&device_model=" + model,
                 ca_);
}

std::int64_t RestClient::release_to_all(const std::string& version, const std::string& model,
                                        const std::string& image) {
  const auto uploaded = upload(version, model, image);
  if (uploaded.status != 200) throw std::runtime_error("upload: " + uploaded.body);
  const auto created = post("/api/admin/rollout/create", {{"name", model + " " + version},
                                                          {"firmware_version", version},
                                                          {"device_model", model},
                                                          {"target_type", "all"}});
  if (created.status / 100 != 2) throw std::runtime_error("create: " + created.body);
  return created.json().at("id").get<std::int64_t>();
}

}  // namespace ota::test_support
