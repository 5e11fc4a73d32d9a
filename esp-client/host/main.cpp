// ota-device: one or many simulated devices in one thread.
#include <curl/curl.h>
#include <mosquitto.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <csignal>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <vector>

#include "esp-client/host/enrolment.hpp"
#include "esp-client/host/manifest_keys.hpp"
#include "esp-client/host/options.hpp"
#include "esp-client/host/rest_link.hpp"
#include "esp-client/host/watch_log.hpp"

namespace ota::device::host {
namespace {

constexpr int kPollPeriodMs = 20;
constexpr int kExitFailed = 1;
constexpr int kExitTimeout = 3;

volatile std::sig_atomic_t stop_wanted = 0;

void on_signal(int) {
  stop_wanted = 1;
}

// Three descriptors a device: its socket and libmosquitto's pair of pipes; more while it downloads.
void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

class Fleet {
 public:
  explicit Fleet(const Options& options)
      : options_(options), http_(loop_, options.http), watch_(options.events_file) {
    if (!options.manifest_keys.empty()) keys_.emplace(options.manifest_keys);
    ensure_identities();
    unsigned index = 0;
    for (const std::string& id : fleet_ids(options)) {
      DeviceOptions device = device_options(options, id, index++);
      if (keys_) device.signatures = &*keys_;
      devices_.push_back(std::make_unique<SimulatedDevice>(
          device, http_,
          [this, credentials = device.credentials](const std::string& device_id, Observer& observer) {
            return make_link(device_id, observer, credentials);
          },
          watch_));
    }
  }

  int run() {
    const std::uint64_t until_ms = steady_now_ms() + options_.timeout_s * 1000;
    while (stop_wanted == 0) {
      loop_.run_once(kPollPeriodMs);
      http_.poll();
      const std::uint64_t now_ms = steady_now_ms();
      for (const auto& device : devices_) device->poll(now_ms);
      if (options_.once && all_finished()) return all_succeeded() ? 0 : kExitFailed;
      if (options_.timeout_s > 0 && now_ms >= until_ms) return options_.once ? kExitTimeout : 0;
    }
    return options_.once ? kExitFailed : 0;
  }

 private:
  void ensure_identities() const {
    if (options_.enrol.enroll_url.empty() && options_.enrol.renew_url.empty()) return;
    for (const std::string& id : fleet_ids(options_)) {
      ensure_identity(
          options_.enrol, id,
          {with_id(options_.mqtt.cert_file, id), with_id(options_.mqtt.key_file, id), options_.mqtt.ca_file});
    }
  }

  std::unique_ptr<Link> make_link(const std::string& id, Observer& observer, const Credentials& credentials) {
    if (!options_.rest_url.empty())
      return std::make_unique<RestLink>(http_, options_.rest_url, id, observer, seed_++, credentials);
    MqttOptions own = options_.mqtt;
    own.cert_file = with_id(own.cert_file, id);
    own.key_file = with_id(own.key_file, id);
    own.username = with_id(own.username, id);
    return std::make_unique<MqttLink>(loop_, gate_, std::move(own), id, observer, seed_++);
  }

  [[nodiscard]] bool all_finished() const {
    for (const auto& device : devices_) {
      if (!device->last_settled()) return false;
    }
    return true;
  }

  [[nodiscard]] bool all_succeeded() const {
    for (const auto& device : devices_) {
      if (device->last_settled()->status != Status::kSuccess) return false;
    }
    return true;
  }

  const Options& options_;
  EventLoop loop_;
  HttpClient http_;
  WatchLog watch_;
  std::optional<ManifestKeys> keys_;
  ConnectGate gate_;
  std::uint64_t seed_ = steady_now_ms() << 20U;
  std::vector<std::unique_ptr<SimulatedDevice>> devices_;
};

int run(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  spdlog::set_default_logger(spdlog::stderr_color_st("ota-device"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  spdlog::set_level(spdlog::level::from_str(options.log_level));
  raise_file_limit();
  std::signal(SIGTERM, on_signal);
  std::signal(SIGINT, on_signal);
  std::signal(SIGPIPE, SIG_IGN);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  mosquitto_lib_init();
  int code = 0;
  {
    Fleet fleet(options);
    code = fleet.run();
  }
  mosquitto_lib_cleanup();
  curl_global_cleanup();
  return code;
}

}  // namespace
}  // namespace ota::device::host

int main(int argc, char** argv) {
  try {
    return ota::device::host::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "ota-device: " << error.what() << "\n";
    return 2;
  }
}
