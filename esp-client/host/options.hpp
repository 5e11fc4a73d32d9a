#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "esp-client/host/enrolment.hpp"
#include "esp-client/host/http_client.hpp"
#include "esp-client/host/mqtt_link.hpp"
#include "esp-client/host/simulated_device.hpp"

namespace ota::device::host {

// The command line of ota-device.
struct Options {
  std::string id;
  std::string model;
  std::string version;
  std::string mac;
  std::string broker;    // host:port
  std::string rest_url;  // instead of a broker
  MqttOptions mqtt;
  HttpOptions http;
  std::string http_base_url;
  std::string token_file;  // {id} is replaced; empty: none
  EnrolOptions enrol;
  std::string manifest_keys;  // folder; empty: unsigned images are taken
  std::uint64_t built_at_s = 0;
  std::string state_folder = "./ota-device-state";
  unsigned count = 1;
  std::uint64_t interval_s = 300;
  bool once = false;
  std::uint64_t timeout_s = 0;  // 0: none
  bool boot_fails = false;
  unsigned fail_percent = 0;
  bool no_fsync = false;
  std::uint64_t reboot_ms = 500;
  std::uint64_t slot_bytes = 16U << 20U;
  std::string log_level = "info";
  std::string events_file;
};

// Exits the process on --help and on a wrong command line, with a sentence on standard error.
[[nodiscard]] Options parse_options(int argc, char** argv);

// The ids of the fleet: `{n}` stands for the number, or it is appended ("-001"). Throws std::runtime_error.
[[nodiscard]] std::vector<std::string> fleet_ids(const Options& options);

// `{id}` in a file name replaced.
[[nodiscard]] std::string with_id(std::string text, const std::string& id);

// The options of one device; `index` from 0. Throws std::runtime_error when its token cannot be read.
[[nodiscard]] DeviceOptions device_options(const Options& options, const std::string& id, unsigned index);

}  // namespace ota::device::host
