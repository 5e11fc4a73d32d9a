#include "bridge/service.hpp"

#include <spdlog/spdlog.h>

#include <chrono>

#include "bridge/broker_side.hpp"
#include "bridge/change_follower.hpp"
#include "bridge/config_files.hpp"
#include "bridge/download_key.hpp"
#include "bridge/file_blobs.hpp"
#include "bridge/fresh_stores.hpp"
#include "bridge/inbox.hpp"
#include "bridge/issuing_authority.hpp"
#include "bridge/key_cache.hpp"
#include "bridge/leadership.hpp"
#include "bridge/manifest_keys.hpp"
#include "bridge/random_bytes.hpp"
#include "bridge/revocation_keeper.hpp"
#include "bridge/revocation_ports.hpp"
#include "bridge/rollout_loop.hpp"
#include "bridge/sha256.hpp"
#include "bridge/x509.hpp"
#include "bridge/zone_clock.hpp"
#include "fleet/device_rate.hpp"
#include "http/server.hpp"
#include "sql/admin_store.hpp"
#include "sql/catalog_store.hpp"
#include "sql/certificate_store.hpp"
#include "sql/connection_pool.hpp"
#include "sql/conninfo.hpp"
#include "sql/device_store.hpp"
#include "sql/event_store.hpp"
#include "sql/key_store.hpp"
#include "sql/monitor_store.hpp"
#include "sql/push_store.hpp"
#include "sql/rollout_control.hpp"
#include "sql/rollout_store.hpp"
#include "sql/token_store.hpp"
#include "sql/update_store.hpp"

namespace ota::bridge {
namespace {

// Connections for admin and monitoring requests; device messages have writers of their own.
constexpr std::size_t kPoolConnections = 4;

fleet::Time now() {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

std::string make_token() {
  const auto bytes = random_bytes();
  return x509::hex_of(bytes.data(), bytes.size());
}

http::TlsFiles tls_files(const Config& config) {
  return {config.https_cert, config.https_key, config.https_client_ca, config.https_client_crl};
}

}  // namespace

fleet::Expected<std::vector<std::string>> test_files(const Config& config) {
  std::string problems;
  for (const auto& tested : {test_named_files(config), sql::test_database_settings()}) {
    if (!tested) problems += (problems.empty() ? "" : "\n") + tested.error().message;
  }
  auto warnings =
      config.https_cert.empty() ? std::vector<std::string>() : http::test_tls_files(tls_files(config));
  if (problems.empty()) return warnings;
  if (!warnings) problems += '\n' + warnings.error().message;
  return fleet::fail(fleet::ErrorKind::invalid, problems);
}

const char* program_version() {
  return OTA_VERSION;
}

class Service::Impl {
 public:
  explicit Impl(const Config& config)
      : pool_({}, kPoolConnections),
        releases_(pool_),
        rollouts_(pool_),
        reader_(pool_),
        devices_(pool_),
        events_(pool_),
        keys_(pool_),
        key_rings_(pool_),
        tokens_(pool_),
        catalogs_(std::make_unique<sql::PgCatalogStore>(sql::ConnectOptions{}, config.require_signed)),
        key_cache_(key_rings_),
        fresh_releases_(releases_, catalogs_),
        fresh_rollouts_(rollouts_, catalogs_),
        fresh_events_(events_, catalogs_),
        fresh_keys_(keys_, key_cache_),
        blobs_(config.storage_path, config.upload_bytes_max,
               [this](const std::string& file_path) { return releases_.is_file_used(file_path); }),
        manifests_(ManifestKeys::load(config.manifest_keys).value()),
        download_key_(DownloadKey::load(config.download_key_file).value()),
        urls_(download_key_.get(), std::chrono::minutes(config.download_url_minutes)),
        authority_(
            IssuingAuthority::load(config.device_ca_cert, config.device_ca_key, config.device_cert_days)
                .value()),
        certificates_(pool_),
        enrolments_(pool_),
        inbox_(inbox_ports(config)),
        mqtt_rate_(config.device_messages_per_second, burst(config)),
        rest_rate_(config.device_messages_per_second, burst(config)),
        leadership_(std::make_unique<sql::PgLeaderLock>(),
                    [this](bool leads) {
                      if (broker_) broker_->leadership_changed(leads);
                      if (leads) rollout_loop_.wake();
                    }),
        broker_(make_broker(config)),
        rollout_loop_(loop_ports(config)),
        revocations_(make_keeper(config)),
        follower_(std::make_unique<sql::PgChangeListener>(), followed()),
        server_(server_options(config), server_ports()) {}

  fleet::Expected<int> open() { return server_.start(); }

  void run_devices() {
    follower_.start();
    inbox_.start();
    if (broker_) broker_->start();
    rollout_loop_.start();
    if (revocations_) revocations_->start();
    leadership_.start();
  }

  void stop() {
    server_.stop();
    rollout_loop_.stop();
    if (revocations_) revocations_->stop();
    if (broker_) broker_->stop_leading();
    leadership_.stop();
    inbox_.stop();
    if (broker_) broker_->stop();
    follower_.stop();
    key_cache_.write_uses();
  }

 private:
  static int burst(const Config& config) {
    return std::max(fleet::kDeviceBurstMessages, 4 * config.device_messages_per_second);
  }

  Inbox::Ports inbox_ports(const Config& config) {
    Inbox::Ports ports;
    for (int i = 0; i < config.db_writers; ++i)
      ports.stores.push_back(std::make_unique<sql::PgUpdateStore>());
    ports.catalogs = &catalogs_;
    ports.sha256 = &sha256;
    ports.local_clock = &local_clock;
    ports.refresh_catalog = [this] { return catalogs_.refresh(); };
    ports.turned_away = [this](std::int64_t rollout_id, const fleet::Device& device) {
      if (broker_) broker_->turned_away(rollout_id, device);
    };
    ports.offer_changed = [this](const fleet::Device& device) {
      if (broker_) broker_->publish_offer(device);
    };
    ports.events_written = [this] {
      if (broker_) broker_->events_written();
      rollout_loop_.wake();
    };
    return ports;
  }

  // Keys first: a revoked one must not wait for a large catalog.
  std::vector<ChangeFollower::Followed> followed() {
    using Heard = fleet::ChangeListener::Heard;
    return {{&Heard::keys, [this] { return key_cache_.refresh(); }},
            {&Heard::catalog, [this] { return refresh_catalog(); }}};
  }

  bool refresh_catalog() {
    if (!catalogs_.refresh()) return false;
    if (broker_) broker_->catalog_changed();
    rollout_loop_.wake();
    return true;
  }

  std::unique_ptr<BrokerSide> make_broker(const Config& config) {
    if (config.mqtt_url == "off") return nullptr;
    BrokerSide::Ports ports;
    ports.inbox = &inbox_;
    ports.catalogs = &catalogs_;
    ports.reader = &reader_;
    ports.refusals = &refusals_;
    ports.urls = &urls_;
    ports.marks = std::make_unique<sql::PgPushStore>();
    ports.push = std::make_unique<sql::PgPushStore>();
    ports.reconcile = std::make_unique<sql::PgReconcileStore>();
    ports.monitor = std::make_unique<sql::PgMonitorStore>();
    ports.leads = [this] { return leadership_.leads(); };
    ports.now = &now;
    ports.rate = &mqtt_rate_;
    ports.sha256 = &sha256;
    ports.local_clock = &local_clock;
    return std::make_unique<BrokerSide>(config, *topics::Names::make(config.mqtt_root), std::move(ports));
  }

  RolloutLoop::Ports loop_ports(const Config& config) {
    RolloutLoop::Ports ports;
    ports.control = std::make_unique<sql::PgRolloutControl>();
    ports.devices = &devices_;
    ports.inbox = &inbox_;
    ports.catalogs = &catalogs_;
    ports.sha256 = &sha256;
    ports.local_clock = &local_clock;
    ports.leads = [this] { return leadership_.leads(); };
    ports.now = &now;
    ports.refresh_catalog = [this] { catalogs_.refresh(); };
    ports.sweep_images = [this] {
      if (const auto swept = blobs_.sweep_orphans(); !swept)
        spdlog::warn("storage: {}", swept.error().message);
    };
    ports.events_keep_days = config.events_keep_days;
    return ports;
  }

  std::unique_ptr<RevocationKeeper> make_keeper(const Config& config) {
    if (config.crl_file.empty()) return nullptr;
    auto ports = keeper_ports(config, *authority_);
    ports.store = std::make_unique<sql::PgRevocationStore>();
    ports.now = &now;
    return std::make_unique<RevocationKeeper>(std::move(ports));
  }

  http::IdentityPorts identity_ports() {
    http::IdentityPorts ports;
    ports.authority = authority_.get();
    ports.certificates = &certificates_;
    ports.enrolments = &enrolments_;
    ports.make_token = &make_token;
    ports.revoked = [this] {
      if (revocations_) revocations_->wake();
    };
    if (revocations_) ports.revocation_list = [this] { return revocations_->list_der(); };
    ports.revocation = [this]() -> std::optional<http::RevocationHealth> {
      if (!revocations_) return std::nullopt;
      const auto state = revocations_->state();
      const auto left = std::chrono::duration_cast<std::chrono::seconds>(state.ends_at - now()).count();
      return http::RevocationHealth{std::max<std::int64_t>(left, 0), state.problem};
    };
    return ports;
  }

  http::ServerOptions server_options(const Config& config) {
    http::ServerOptions options;
    options.host = config.host;
    options.port = config.port;
    options.tls = tls_files(config);
    options.api_key = config.api_key;
    options.trusted_proxies = config.trusted_proxies;
    options.device_auth = config.device_auth;
    options.require_signed = config.require_signed;
    options.images = config.images;
    options.version = program_version();
    options.threads_max = config.http_threads;
    options.downloads_max = std::max(1, config.http_threads * 3 / 4);
    options.upload_bytes_max = config.upload_bytes_max;
    return options;
  }

  http::Ports server_ports() {
    return {.front_desk = inbox_,
            .catalog = catalogs_,
            .releases = fresh_releases_,
            .rollouts = fresh_rollouts_,
            .fleet = reader_,
            .blobs = blobs_,
            .health = [this] { return http::HealthDetails{broker_ ? broker_->state() : "off"}; },
            .prometheus = [this] { return refusal_lines() + certificate_lines(); },
            .devices = devices_,
            .events = fresh_events_,
            .manifests = *manifests_,
            .urls = urls_,
            .tokens = tokens_,
            .keys = fresh_keys_,
            .key_ring = key_cache_,
            .sha256 = &sha256,
            .local_clock = &local_clock,
            .now = &now,
            .forget_device =
                [this](const std::string& device_id) {
                  if (broker_) broker_->forget_device(device_id);
                },
            .may_speak = [this](const std::string& device_id,
                                const std::string& speaker) { return may_speak(device_id, speaker); },
            .count_refusal = [this](const char* kind,
                                    const std::string& example) { refusals_.count(kind, example); },
            .identity = identity_ports(),
            .random = &random_bytes};
  }

  bool may_speak(const std::string& device_id, const std::string& speaker) {
    if (rest_rate_.admit(speaker, now())) return true;
    refusals_.count("rate", device_id + " sends too many requests");
    return false;
  }

  std::string refusal_lines() const {
    std::string lines = "# TYPE ota_refused_messages_total counter\n";
    for (const auto& [kind, count] : refusals_.counts()) {
      lines += "ota_refused_messages_total{kind=\"" + kind + "\"} " + std::to_string(count) + "\n";
    }
    return lines;
  }

  // Nobody notices a certificate's end before it is too late.
  std::string certificate_lines() const {
    std::string lines = "# TYPE ota_certificate_seconds_left gauge\n";
    const auto add = [&](const char* which, fleet::Time ends_at) {
      const auto left = std::chrono::duration_cast<std::chrono::seconds>(ends_at - now()).count();
      lines += "ota_certificate_seconds_left{certificate=\"" + std::string(which) + "\"} " +
               std::to_string(left) + "\n";
    };
    if (const auto ends_at = server_.certificate_ends_at()) add("server", *ends_at);
    if (authority_) add("issuing", authority_->ends_at());
    return lines;
  }

  sql::ConnectionPool pool_;
  sql::PgReleaseStore releases_;
  sql::PgRolloutStore rollouts_;
  sql::PgFleetReader reader_;
  sql::PgDeviceStore devices_;
  sql::PgEventStore events_;
  sql::PgKeyStore keys_;
  sql::PgKeyRingStore key_rings_;
  sql::PgTokenStore tokens_;
  Refusals refusals_;
  CatalogCache catalogs_;
  KeyCache key_cache_;
  FreshReleases fresh_releases_;
  FreshRollouts fresh_rollouts_;
  FreshEvents fresh_events_;
  FreshKeys fresh_keys_;
  FileBlobs blobs_;
  std::unique_ptr<ManifestKeys> manifests_;
  std::unique_ptr<DownloadKey> download_key_;
  const fleet::DownloadUrls urls_;
  std::unique_ptr<IssuingAuthority> authority_;  // null: no certificates are issued here
  sql::PgCertificateStore certificates_;
  sql::PgEnrolmentStore enrolments_;
  Inbox inbox_;
  // One for each world: over REST anybody may use a device's name, and must not silence it over MQTT.
  fleet::DeviceRate mqtt_rate_;
  fleet::DeviceRate rest_rate_;
  Leadership leadership_;
  std::unique_ptr<BrokerSide> broker_;
  RolloutLoop rollout_loop_;
  std::unique_ptr<RevocationKeeper> revocations_;  // null: no list is kept here
  ChangeFollower follower_;
  http::Server server_;
};

Service::Service(const Config& config) : impl_(std::make_unique<Impl>(config)) {}
Service::~Service() = default;
fleet::Expected<int> Service::open() {
  return impl_->open();
}
void Service::run_devices() {
  impl_->run_devices();
}
void Service::stop() {
  impl_->stop();
}

}  // namespace ota::bridge
