#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "esp-client/core/agent.hpp"
#include "esp-client/host/curl_download.hpp"
#include "esp-client/host/file_slots.hpp"
#include "esp-client/host/link.hpp"
#include "esp-client/host/nvs_file.hpp"
#include "esp-client/host/steady_clock.hpp"

namespace ota::device::host {

struct DeviceOptions {
  Identity identity;
  std::string first_version;  // when its state folder is empty
  std::string folder;
  std::string http_base_url;
  Credentials credentials;  // for that server
  Timing timing;
  std::uint64_t slot_bytes = 16U << 20U;
  std::uint64_t reboot_ms = 500;
  bool durable = true;
  FileSlots::Fault fault = FileSlots::Fault::kNone;
  Signatures* signatures = nullptr;  // shared by the fleet; outlives the devices
};

// What happens to a device, for the log and for tests.
class DeviceWatcher {
 public:
  virtual void transition(const std::string& id, State from, State to, std::string_view why) = 0;
  virtual void settled(const std::string& id, const Result& result, bool recorded) = 0;
  virtual void problem(const std::string& id, std::string_view what) = 0;
  virtual void started(const std::string& id, std::string_view running_version) = 0;

 protected:
  ~DeviceWatcher() = default;
};

// A device whose flash is a folder. One thread.
class SimulatedDevice final : public Clock, public Observer {
 public:
  using MakeLink = std::function<std::unique_ptr<Link>(const std::string& id, Observer& observer)>;

  // Throws std::runtime_error when the folder cannot be used.
  SimulatedDevice(const DeviceOptions& options, HttpClient& http, const MakeLink& make_link,
                  DeviceWatcher& watcher);
  virtual ~SimulatedDevice();
  SimulatedDevice(const SimulatedDevice&) = delete;
  SimulatedDevice& operator=(const SimulatedDevice&) = delete;

  void poll(std::uint64_t now_ms);

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::optional<Result>& last_settled() const { return last_settled_; }

  std::uint64_t now_ms() override;
  std::uint64_t random_u64() override;
  void reboot(Reboot how) override;

  void on_transition(State from, State to, std::string_view why) override;
  void on_settled(const Result& result, bool recorded) override;
  void on_problem(std::string_view what) override;

 private:
  void power_on();
  void power_off();

  DeviceOptions options_;
  std::string id_;
  DeviceWatcher& watcher_;
  NvsFile nvs_;
  FileSlots slots_;
  CurlDownload download_;
  std::unique_ptr<Link> link_;
  std::optional<Agent> agent_;
  std::optional<Reboot> reboot_wanted_;
  Reboot last_reboot_ = Reboot::kNormal;
  std::uint64_t power_on_ms_ = 0;
  std::optional<Result> last_settled_;
};

}  // namespace ota::device::host
