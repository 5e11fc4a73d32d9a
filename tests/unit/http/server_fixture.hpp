#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "bridge/file_blobs.hpp"
#include "bridge/sha256.hpp"
#include "http/server.hpp"
#include "tests/support/fleet_builders.hpp"
#include "tests/unit/http/fakes.hpp"
#include "tests/unit/http/identity_fakes.hpp"
#include "tests/unit/http/raw_client.hpp"

namespace ota::tests {

inline constexpr fleet::Time kNow{std::chrono::hours(1000)};
inline constexpr char kKey[] = "correct-horse";

/// A real server on a free port over fakes, and a real folder of images.
class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ota-http-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    options_.host = "127.0.0.1";
    options_.port = 0;
    options_.api_key = kKey;
    options_.version = "9.9.9";
    options_.upload_bytes_max = 1024 * 1024;
    identity_.authority = &issuer_;
    identity_.certificates = &certificates_;
    identity_.enrolments = &enrolments_;
    identity_.make_token = [] { return std::string("the-token"); };
    identity_.revoked = [this] { ++lists_due_; };
    desk_.answer = [](const fleet::Message& message) -> fleet::Expected<fleet::Answer> {
      if (std::holds_alternative<fleet::Report>(message.body)) return fleet::ReportAnswer{true, ""};
      return fleet::NoUpdateAnswer{"1.1.0", "1.1.0", "already on 1.1.0"};
    };
  }
  ~ServerTest() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  /// The port; starts the server at the first call. It speaks HTTPS when options_.tls says so; clients then
  /// use client_tls_.
  Endpoint port() {
    const ClientTls* tls = options_.tls.certificate.empty() ? nullptr : &client_tls_;
    if (server_) return {port_, tls};
    make_server();
    const auto started = server_->start();
    EXPECT_TRUE(started) << (started ? "" : started.error().message);
    port_ = started.value_or(0);
    return {port_, tls};
  }
  /// Why the server cannot start; empty when it can.
  std::string start_problem() {
    make_server();
    const auto started = server_->start();
    return started ? "" : started.error().message;
  }
  void make_server() { server_ = std::make_unique<http::Server>(options_, make_ports()); }
  http::Ports make_ports() {
    blobs_ = std::make_unique<bridge::FileBlobs>(
        folder_, options_.upload_bytes_max,
        [this](const std::string& file_path) { return releases_.is_file_used(file_path); });
    return http::Ports{
        .front_desk = desk_,
        .catalog = catalogs_,
        .releases = releases_,
        .rollouts = rollouts_,
        .fleet = fleet_,
        .blobs = *blobs_,
        .health = [this] { return health_; },
        .prometheus = [] { return std::string("extra 1\n"); },
        .devices = devices_,
        .events = events_,
        .manifests = manifests_,
        .urls = urls_,
        .tokens = tokens_,
        .keys = keys_,
        .key_ring = keys_,
        .sha256 = &test_sha256,
        .local_clock = &utc_clock,
        .now = [this] { return now_.load(); },
        .forget_device = [this](const std::string& device_id) { forgotten_ = device_id; },
        .may_speak = [this](const std::string&, const std::string& speaker) { return speaker != capped_; },
        .count_refusal = [this](const char* kind, const std::string&) { refused_kind_ = kind; },
        .identity = identity_,
        .random = [this] { return fleet::KeyBytes{++keys_made_}; }};
  }

  Reply get(const std::string& target, const Headers& headers = {}) {
    return call(port(), "GET", target, headers);
  }
  Reply get_as_admin(const std::string& target) { return get(target, {{"X-API-Key", kKey}}); }
  Reply post(const std::string& target, const std::string& body, Headers headers = {}) {
    headers["Content-Type"] = "application/json";
    return call(port(), "POST", target, headers, body);
  }
  Reply post_as_admin(const std::string& target, const std::string& body) {
    return post(target, body, {{"X-API-Key", kKey}});
  }
  Reply upload(const std::string& query, const std::string& body) {
    return call(port(), "POST", "/api/admin/firmware/upload?" + query,
                {{"X-API-Key", kKey}, {"Content-Type", "multipart/form-data; boundary=edge"}}, body);
  }
  /// An image in the folder and its release row.
  void add_image(const std::string& version, const std::string& model, const std::string& bytes) {
    const auto answer = upload("version=" + version + "&device_model=" + model, multipart({{"file", bytes}}));
    ASSERT_EQ(answer.status, 200) << answer.body;
  }

  http::ServerOptions options_;
  ClientTls client_tls_;
  FakeDesk desk_;
  FakeCatalogs catalogs_;
  FakeReleases releases_;
  FakeRollouts rollouts_;
  FakeFleet fleet_;
  FakeDevices devices_;
  FakeEvents events_;
  FakeManifests manifests_;
  http::HealthDetails health_{"connected"};
  fleet::DownloadUrls urls_;
  FakeTokens tokens_;
  std::atomic<fleet::Time> now_{kNow};
  FakeKeys keys_;
  std::uint8_t keys_made_ = 0;
  FakeAuthority issuer_;
  FakeCertificates certificates_;
  FakeEnrolments enrolments_;
  http::IdentityPorts identity_;
  std::atomic<int> lists_due_{0};
  std::string forgotten_;
  std::string capped_;  ///< the device that has sent too much
  std::string refused_kind_;
  std::string folder_;
  std::unique_ptr<bridge::FileBlobs> blobs_;

 private:
  std::unique_ptr<http::Server> server_;
  int port_ = 0;
};

}  // namespace ota::tests
