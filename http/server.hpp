#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fleet/device_proof.hpp"
#include "fleet/download_url.hpp"
#include "fleet/expected.hpp"
#include "fleet/image_policy.hpp"
#include "fleet/ip_address.hpp"
#include "fleet/limits.hpp"
#include "fleet/ports/admin_store.hpp"
#include "fleet/ports/blobs.hpp"
#include "fleet/ports/device_store.hpp"
#include "fleet/ports/event_store.hpp"
#include "fleet/ports/front_desk.hpp"
#include "fleet/ports/key_store.hpp"
#include "fleet/ports/rollout_store.hpp"
#include "fleet/ports/token_store.hpp"
#include "fleet/time.hpp"
#include "http/identity_ports.hpp"
#include "http/tls_files.hpp"

namespace ota::http {

/// The settings of the REST server. What happens at each limit says fleet/limits.hpp.
struct ServerOptions {
  std::string host = "0.0.0.0";
  int port = 8080;      ///< 0: any free one
  TlsFiles tls;         ///< with a certificate the port speaks HTTPS
  std::string api_key;  ///< the root key; without it and any other the admin routes answer 503
  std::vector<fleet::IpNetwork> trusted_proxies;            ///< whose X-Forwarded-For is believed
  fleet::DeviceAuth device_auth = fleet::DeviceAuth::open;  ///< what the device routes ask for
  bool require_signed = false;                              ///< uploads need a manifest that verifies
  fleet::ImagePolicy images;                                ///< what an uploaded image must be
  std::string version;                                      ///< of this service, told on /health

  int threads_max = fleet::kHttpThreadsMax;   ///< connections served at a time
  int queue_max = fleet::kWaitingAnswersMax;  ///< device messages that wait for their commit; beyond it 503
  int downloads_max = 400;                    ///< images sent at a time; beyond it 503 with Retry-After
  int uploads_max = fleet::kUploadsMax;       ///< images received at a time; beyond it 503 with Retry-After
  std::int64_t upload_bytes_max = fleet::kUploadBytesMax;  ///< beyond it 413

  std::chrono::seconds keep_alive{fleet::kIdleTimeMax};  ///< an idle connection is closed after it
  std::chrono::seconds io_timeout{fleet::kIdleTimeMax};  ///< one read or write that does not move
  std::chrono::seconds answer_timeout{
      fleet::kAnswerWaitMax};  ///< wait for a device message's commit; beyond it 503
  std::chrono::seconds request_timeout{
      fleet::kRequestTimeMax};  ///< for a request's header and JSON body to arrive as a whole
  std::int64_t bytes_per_second_min =
      fleet::kTransferBytesPerSecondMin;  ///< slower transfers are cut; 0: never
  std::chrono::seconds rate_window{60};   ///< over which that rate is measured
};

/// What only the bridge's main knows of its health.
struct HealthDetails {
  /// off, disconnected, comparing (what the broker retains with the database) or connected.
  std::string mqtt = "disconnected";
};

/// What the server calls. All are thread safe and outlive it.
struct Ports {
  fleet::FrontDesk& front_desk;
  fleet::CatalogSource& catalog;
  fleet::ReleaseStore& releases;
  fleet::RolloutStore& rollouts;
  fleet::FleetReader& fleet;
  fleet::Blobs& blobs;
  std::function<HealthDetails()> health;
  std::function<std::string()> prometheus;  ///< more lines of text exposition; may be empty
  fleet::DeviceStore& devices;
  fleet::EventStore& events;
  const fleet::ManifestVerifier& manifests;
  const fleet::DownloadUrls& urls;
  fleet::TokenStore& tokens;
  fleet::KeyStore& keys;
  fleet::KeySource& key_ring;
  fleet::Sha256 sha256 = nullptr;
  fleet::LocalClock local_clock = nullptr;
  std::function<fleet::Time()> now;
  std::function<void(const std::string& device_id)>
      forget_device;  ///< clears a deleted device's retained offer
  /// Whether one more message for a device may be taken now; it counts for `speaker`. Empty: always.
  std::function<bool(const std::string& device_id, const std::string& speaker)> may_speak;
  /// Counts a device's message that cannot be taken, by kind, with an example for the log; may be empty.
  std::function<void(const char* kind, const std::string& example)> count_refusal;
  IdentityPorts identity = {};
  std::function<fleet::KeyBytes()> random;  ///< chance enough for a key
};

/// The REST service of contract section 1.
class Server {
 public:
  Server(const ServerOptions& options, const Ports& ports);
  ~Server();  ///< stops it

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Binds, then serves on threads of its own; answers the bound port. `unavailable` when the address cannot
  /// be bound, `invalid` when the files of TLS cannot be used. Call once.
  [[nodiscard]] fleet::Expected<int> start();

  /// Takes no more connections, lets requests under way come to their end (a download at most for a short
  /// while, then it is cut) and joins every thread. May be called twice.
  void stop();

  /// When the certificate it serves now ends; nullopt without HTTPS. Once start() has returned; thread safe.
  [[nodiscard]] std::optional<fleet::Time> certificate_ends_at() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ota::http
