#include "bridge/service.hpp"

#include <spdlog/spdlog.h>

#include <chrono>

#include "bridge/broker_side.hpp"
#include "bridge/file_blobs.hpp"
#include "bridge/fresh_stores.hpp"
#include "bridge/inbox.hpp"
#include "bridge/sha256.hpp"
#include "http/server.hpp"
#include "sql/admin_store.hpp"
#include "sql/catalog_store.hpp"
#include "sql/connection_pool.hpp"
#include "sql/monitor_store.hpp"
#include "sql/push_store.hpp"
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
        catalogs_(std::make_unique<sql::PgCatalogStore>(), std::make_unique<sql::PgChangeListener>(),
                  [this] {
                    if (broker_) broker_->catalog_changed();
                  }),
        fresh_releases_(releases_, catalogs_),
        fresh_rollouts_(rollouts_, catalogs_),
        blobs_(config.storage_path, config.upload_bytes_max),
        inbox_(inbox_ports(config)),
        broker_(make_broker(config)),
        server_(server_options(config), server_ports()) {}

  fleet::Expected<int> open() { return server_.start(); }

  void run_devices() {
    catalogs_.start();
    inbox_.start();
    if (broker_) broker_->start();
  }

  void stop() {
    server_.stop();
    if (broker_) broker_->stop_leading();
    inbox_.stop();
    if (broker_) broker_->stop();
    catalogs_.stop();
  }

 private:
  Inbox::Ports inbox_ports(const Config& config) {
    Inbox::Ports ports;
    for (int i = 0; i < config.db_writers; ++i)
      ports.stores.push_back(std::make_unique<sql::PgUpdateStore>());
    ports.catalogs = &catalogs_;
    ports.sha256 = &sha256;
    ports.offer_changed = [this](const fleet::Device& device) {
      if (broker_) broker_->publish_offer(device);
    };
    ports.events_written = [this] {
      if (broker_) broker_->events_written();
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
    ports.marks = std::make_unique<sql::PgPushStore>();
    ports.push = std::make_unique<sql::PgPushStore>();
    ports.reconcile = std::make_unique<sql::PgReconcileStore>();
    ports.monitor = std::make_unique<sql::PgMonitorStore>();
    ports.leader = std::make_unique<sql::PgLeaderLock>();
    ports.now = &now;
    ports.sha256 = &sha256;
    return std::make_unique<BrokerSide>(config, *topics::Names::make(config.mqtt_root), std::move(ports));
  }

  http::ServerOptions server_options(const Config& config) {
    http::ServerOptions options;
    options.host = config.host;
    options.port = config.port;
    options.api_key = config.api_key;
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
            [this] { return refusal_lines(); }};
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
  Refusals refusals_;
  CatalogCache catalogs_;
  FreshReleases fresh_releases_;
  FreshRollouts fresh_rollouts_;
  FileBlobs blobs_;
  Inbox inbox_;
  std::unique_ptr<BrokerSide> broker_;
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
