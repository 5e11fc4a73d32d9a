#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "fleet/device_proof.hpp"
#include "fleet/expected.hpp"
#include "fleet/image_policy.hpp"
#include "fleet/ip_address.hpp"

namespace ota::bridge {

/// Every setting of the bridge, validated once at start. The table of variables is in config.cpp.
struct Config {
  std::string host;
  int port = 0;
  std::string api_key;  ///< the root key of the admin routes; empty: none
  std::vector<fleet::IpNetwork> trusted_proxies;
  fleet::DeviceAuth device_auth = fleet::DeviceAuth::open;
  bool is_production = false;  ///< OTA_PROFILE: refuses to start with what is fit for development alone
  std::string storage_path;
  std::string public_url;         ///< no trailing slash; empty: relative download URLs
  std::string download_key_file;  ///< signs download URLs; empty: they are plain
  int download_url_minutes = 0;
  int http_threads = 0;
  std::int64_t upload_bytes_max = 0;
  std::string https_cert;  ///< PEM files; without a certificate the port speaks plain HTTP
  std::string https_key;
  std::string https_client_ca;
  std::string https_client_crl;

  std::string mqtt_url;  ///< mqtt://host:port or mqtts://host:port; "off" runs REST alone
  std::string mqtt_username;
  std::string mqtt_password;
  std::string mqtt_ca;
  std::string mqtt_cert;
  std::string mqtt_key;
  std::string mqtt_root;
  std::string mqtt_shared_group;  ///< empty: alone
  std::string replica;

  int db_writers = 0;
  int device_messages_per_second = 0;  ///< 0: no limit
  int push_per_second = 0;             ///< 0: as fast as the broker acknowledges
  std::string manifest_keys;           ///< folder of public keys; empty: none
  bool require_signed = false;

  std::string device_ca_cert;  ///< the issuing certificate with its chain; empty: no certificates are issued
  std::string device_ca_key;
  std::string crl_file;  ///< the revocation list to keep; empty: none
  int device_cert_days = 0;
  int crl_days = 0;
  std::string broker_pid_file;   ///< of the Mosquitto to signal when the list has changed; empty: none
  std::string broker_probe_url;  ///< its devices' listener; empty: not tried

  fleet::ImagePolicy images;
  int events_keep_days = 400;  ///< older rows of ota_events are removed; 0: never
  std::string log_level;

  std::vector<std::string> warnings;  ///< what works and should not stay so: sentences for the log
};

/// One documented environment variable; `help` is a sentence for --help and the README.
struct ConfigVariable {
  std::string name;
  std::string fallback;
  std::string help;
};

/// All variables of our own; libpq's PG* come on top.
[[nodiscard]] std::vector<ConfigVariable> config_variables();

/// Reads and tests all variables through `get` (empty: not set). `invalid` with a sentence per bad value, all
/// of them.
[[nodiscard]] fleet::Expected<Config> read_config(const std::function<std::string(const std::string&)>& get);

}  // namespace ota::bridge
