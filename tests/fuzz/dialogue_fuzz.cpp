// Requests as they come over the wire, through the real dialogue on a real socket: head, framing, routes,
// key, query, JSON and multipart bodies.
#include "http/dialogue.hpp"

#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "bridge/sha256.hpp"
#include "http/request_head.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/fleet_builders.hpp"
#include "tests/unit/http/fakes.hpp"
#include "tests/unit/http/identity_fakes.hpp"

using namespace ota;

namespace {

class MemoryBlob final : public fleet::Blob {
 public:
  explicit MemoryBlob(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string_view bytes() const override { return bytes_; }
  bool copy(std::size_t offset, char* to, std::size_t size) const override {
    if (offset > bytes_.size() || size > bytes_.size() - offset) return false;
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), size, to);
    return true;
  }

 private:
  std::string bytes_;
};

// The images of one input, gone with the next.
class MemoryBlobs final : public fleet::Blobs {
 public:
  class Upload final : public fleet::BlobUpload {
   public:
    explicit Upload(MemoryBlobs& blobs) : blobs_(blobs) {}
    fleet::Expected<void> append(std::string_view bytes) override {
      bytes_ += bytes;
      return {};
    }
    fleet::Expected<fleet::StoredBlob> keep() override {
      const auto sha256 = bridge::to_hex(bridge::sha256(bytes_));
      blobs_.images_[sha256 + ".bin"] = bytes_;
      return fleet::StoredBlob{sha256 + ".bin", static_cast<std::int64_t>(bytes_.size()), sha256};
    }

   private:
    MemoryBlobs& blobs_;
    std::string bytes_;
  };

  fleet::Expected<std::unique_ptr<fleet::BlobUpload>> begin_upload() override {
    return std::make_unique<Upload>(*this);
  }
  fleet::Expected<std::shared_ptr<const fleet::Blob>> open(const std::string& file_path, std::int64_t,
                                                           const std::string&) override {
    const auto found = images_.find(file_path);
    if (found == images_.end()) return fleet::fail(fleet::ErrorKind::not_found, "no such image");
    return std::make_shared<MemoryBlob>(found->second);
  }
  void remove(const std::string& file_path) override { images_.erase(file_path); }
  void clear() { images_.clear(); }

 private:
  std::map<std::string, std::string> images_;
};

// Answers at once and remembers nothing.
class EchoDesk final : public fleet::FrontDesk {
 public:
  void submit(fleet::Message, fleet::Reply reply) override {
    fleet::NoUpdateAnswer answer;
    answer.current_version = "1.1.0";
    answer.reason = "already on 1.1.0";
    reply(fleet::Answer(answer));
  }
};

http::ServerOptions options() {
  http::ServerOptions options;
  options.api_key = "key";
  options.upload_bytes_max = 32768;
  return options;
}

struct Service {
  Service() {
    identity.certificates = &certificates;
    identity.enrolments = &enrolments;
    identity.make_token = [] { return std::string("token"); };
  }
  // What an input left behind must not change the next one's answers.
  void clear() {
    releases.rows.clear();
    blobs.clear();
  }

  EchoDesk desk;
  tests::FakeCatalogs catalogs;
  tests::FakeReleases releases;
  tests::FakeRollouts rollouts;
  tests::FakeFleet fleet;
  tests::FakeDevices devices;
  tests::FakeEvents events;
  tests::FakeManifests manifests;
  tests::FakeTokens tokens;
  tests::FakeKeys keys;
  tests::FakeCertificates certificates;
  tests::FakeEnrolments enrolments;
  fleet::DownloadUrls urls;
  MemoryBlobs blobs;
  http::IdentityPorts identity;
  http::Ports ports{.front_desk = desk,
                    .catalog = catalogs,
                    .releases = releases,
                    .rollouts = rollouts,
                    .fleet = fleet,
                    .blobs = blobs,
                    .health = [] { return http::HealthDetails{}; },
                    .prometheus = [] { return std::string(); },
                    .devices = devices,
                    .events = events,
                    .manifests = manifests,
                    .urls = urls,
                    .tokens = tokens,
                    .keys = keys,
                    .key_ring = keys,
                    .sha256 = &tests::test_sha256,
                    .local_clock = &tests::utc_clock,
                    .now = [] { return fleet::Time(std::chrono::hours(1000)); },
                    .forget_device = [](const std::string&) {},
                    .may_speak = {},
                    .count_refusal = {},
                    .identity = identity,
                    .random = [] { return fleet::KeyBytes{}; }};
  http::Api api{options(), ports};
  http::AnswerQueue answers{
      std::chrono::seconds(1), 16,
      [](std::unique_ptr<http::Connection>, const http::AnswerForm&, http::Response) {}};
  std::atomic<bool> closing{false};
  http::Dialogue dialogue{options(), api, answers, closing};
  http::TransferLimits limits;
};

// A fresh one now and then: the fakes remember what they were asked, and wrong keys are throttled.
Service& service() {
  constexpr int kInputsMax = 1000;
  static std::unique_ptr<Service> now;
  static int inputs = 0;
  if (inputs++ % kInputsMax == 0) now = std::make_unique<Service>();
  return *now;
}

std::string read_all(int fd) {
  std::string text;
  char buffer[65536];
  for (ssize_t count = 0; (count = ::recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr int kRequestsMax = 3;
  static const bool is_quiet = (spdlog::set_level(spdlog::level::off), true);
  auto& served = service();
  int ends[2];
  // A socket's buffer takes the whole input, so that nobody waits.
  if (!is_quiet || size > 65536 || ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) return 0;
  (void)!::send(ends[0], data, size, MSG_NOSIGNAL);
  ::shutdown(ends[0], SHUT_WR);
  {
    http::Connection connection(ends[1], "192.0.2.1", served.limits);
    for (int i = 0; i < kRequestsMax; ++i) {
      if (connection.fill() != http::Connection::Head::whole) break;
      if (http::prepare_head(connection)) break;
      const auto outcome = served.dialogue.serve(connection);
      if (outcome.ticket) {
        served.answers.give_up(*outcome.ticket);
        break;
      }
      if (!outcome.goes_on) break;
    }
  }
  const auto answer = read_all(ends[0]);
  ::close(ends[0]);
  fuzz::require(
      answer.empty() || answer.compare(0, 9, "HTTP/1.1 ") == 0 || answer.compare(0, 9, "HTTP/1.0 ") == 0,
      "what comes back is HTTP");
  fuzz::require(answer.find("\r\nEXCEPTION_WHAT") == std::string::npos, "no exception's text leaks");
  fuzz::require(answer.compare(0, 12, "HTTP/1.1 500") != 0, "no input makes the server fail");
  served.clear();
  return 0;
}
