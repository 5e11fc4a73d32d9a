#include "bridge/service.hpp"

#include <spdlog/spdlog.h>

#include <chrono>

#include "bridge/broker_side.hpp"
#include "bridge/download_key.hpp"
#include "bridge/file_blobs.hpp"
#include "bridge/fresh_stores.hpp"
#include "bridge/inbox.hpp"
#include "bridge/leadership.hpp"
#include "bridge/manifest_keys.hpp"
#include "bridge/rollout_loop.hpp"
#include "bridge/sha256.hpp"
#include "bridge/zone_clock.hpp"
#include "fleet/device_rate.hpp"
#include "http/server.hpp"
#include "sql/admin_store.hpp"
#include "sql/catalog_store.hpp"
#include "sql/connection_pool.hpp"
#include "sql/device_store.hpp"
#include "sql/event_store.hpp"
#include "sql/monitor_store.hpp"
#include "sql/push_store.hpp"
#include "sql/rollout_control.hpp"
#include "sql/rollout_store.hpp"
#include "sql/update_store.hpp"

namespace ota::bridge {
namespace {

// Connections for admin and monitoring requests; device messages have writers of their own.
constexpr std::size_t kPoolConnections = 4;

fleet::Time now() {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

}  // namespace

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
        catalogs_(std::make_unique<sql::PgCatalogStore>(), std::make_unique<sql::PgChangeListener>(),
                  [this] {
                    if (broker_) broker_->catalog_changed();
                    rollout_loop_.wake();
                  }),
        fresh_releases_(releases_, catalogs_),
        fresh_rollouts_(rollouts_, catalogs_),
        fresh_events_(events_, catalogs_),
        blobs_(config.storage_path, config.upload_bytes_max,
               [this](const std::string& file_path) { return releases_.is_file_used(file_path); }),
        manifests_(ManifestKeys::load(config.manifest_keys).value()),
        download_key_(DownloadKey::load(config.download_key_file).value()),
        urls_(download_key_.get(), std::chrono::minutes(config.download_url_minutes)),
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
        server_(server_options(config), server_ports()) {}

  fleet::Expected<int> open() { return server_.start(); }

  void run_devices() {
    catalogs_.start();
    inbox_.start();
    if (broker_) broker_->start();
    rollout_loop_.start();
    leadership_.start();
  }

  void stop() {
    server_.stop();
    rollout_loop_.stop();
    if (broker_) broker_->stop_leading();
    leadership_.stop();
    inbox_.stop();
    if (broker_) broker_->stop();
    catalogs_.stop();
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

  http::ServerOptions server_options(const Config& config) {
    http::ServerOptions options;
    options.host = config.host;
    options.port = config.port;
    options.api_key = config.api_key;
    options.require_signed = config.require_signed;
    options.version = program_version();
    options.threads_max = config.http_threads;
    options.downloads_max = std::max(1, config.http_threads * 3 / 4);
    options.upload_bytes_max = config.upload_bytes_max;
    return options;
  }

  http::Ports server_ports() {
    return {inbox_,
            catalogs_,
            fresh_releases_,
            fresh_rollouts_,
            reader_,
            blobs_,
            [this] { return http::HealthDetails{broker_ && broker_->is_connected()}; },
            [this] { return refusal_lines(); },
            devices_,
            fresh_events_,
            *manifests_,
            urls_,
            &sha256,
            &local_clock,
            &now,
            [this](const std::string& device_id) {
              if (broker_) broker_->forget_device(device_id);
            },
            [this](const std::string& device_id) { return may_speak(device_id); },
            [this](const char* kind, const std::string& example) { refusals_.count(kind, example); }};
  }

  bool may_speak(const std::string& device_id) {
    if (rest_rate_.admit(device_id, now())) return true;
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

  sql::ConnectionPool pool_;
  sql::PgReleaseStore releases_;
  sql::PgRolloutStore rollouts_;
  sql::PgFleetReader reader_;
  sql::PgDeviceStore devices_;
  sql::PgEventStore events_;
  Refusals refusals_;
  CatalogCache catalogs_;
  FreshReleases fresh_releases_;
  FreshRollouts fresh_rollouts_;
  FreshEvents fresh_events_;
  FileBlobs blobs_;
  std::unique_ptr<ManifestKeys> manifests_;
  std::unique_ptr<DownloadKey> download_key_;
  const fleet::DownloadUrls urls_;
  Inbox inbox_;
  // One for each world: over REST anybody may use a device's name, and must not silence it over MQTT.
  fleet::DeviceRate mqtt_rate_;
  fleet::DeviceRate rest_rate_;
  Leadership leadership_;
  std::unique_ptr<BrokerSide> broker_;
  RolloutLoop rollout_loop_;
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
