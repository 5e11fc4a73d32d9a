#include "bridge/config_profile.hpp"

#include <string_view>

#include "bridge/broker_address.hpp"
#include "bridge/secret_file.hpp"
#include "fleet/ip_address.hpp"

namespace ota::bridge {
namespace {

constexpr std::size_t kApiKeyCharactersMin = 32;

bool begins_with(std::string_view text, std::string_view head) {
  return text.substr(0, head.size()) == head;
}

bool knows_its_devices(const Config& config) {
  return config.device_auth != fleet::DeviceAuth::open;
}

bool is_reached_by_https(const Config& config) {
  if (!config.https_cert.empty()) return true;
  return begins_with(config.public_url, "https://") && !config.trusted_proxies.empty();
}

bool has_strong_root_key(const Config& config) {
  return is_strong_secret(config.api_key, kApiKeyCharactersMin);
}

bool is_this_machine(const std::string& host) {
  const auto address = fleet::parse_ip(host);
  if (!address) return host == "localhost";
  return (address->is_v4() && address->bytes[12] == 127) || address == fleet::parse_ip("::1");
}

bool talks_to_its_broker_in_private(const Config& config) {
  if (config.mqtt_url == "off") return true;
  const auto broker = parse_broker_url(config.mqtt_url);
  return broker && (broker->tls || is_this_machine(broker->host));
}

bool is_known_to_its_broker(const Config& config) {
  const bool has_password = !config.mqtt_username.empty() && !config.mqtt_password.empty();
  return config.mqtt_url == "off" || has_password || !config.mqtt_cert.empty();
}

// Without a list, a revoked certificate and those of an authority that was given up still come in.
bool refuses_revoked_certificates(const Config& config) {
  return config.https_client_ca.empty() || !config.https_client_crl.empty();
}

struct Demand {
  const char* variable;
  bool (*is_met)(const Config& config);
  const char* message;
};

constexpr Demand kProduction[] = {
    {"DEVICE_AUTH", knows_its_devices,
     "set token or mtls; with open anybody can act for any device over REST"},
    {"HTTPS_CERT", is_reached_by_https,
     "set it and HTTPS_KEY; or TRUSTED_PROXIES, and PUBLIC_URL with the https:// address of the proxy"},
    {"HTTPS_CLIENT_CRL", refuses_revoked_certificates,
     "set it next to HTTPS_CLIENT_CA (the file of CRL_FILE, where this bridge keeps the list); else revoked "
     "certificates are accepted"},
    {"REQUIRE_SIGNED", [](const Config& config) { return config.require_signed; },
     "set 1, and MANIFEST_KEYS; else every key that may upload can install any image"},
    {"API_KEY", has_strong_root_key,
     "set at least 32 characters that nobody can guess (openssl rand -hex 32), best by API_KEY_FILE"},
    {"MQTT_URL", talks_to_its_broker_in_private,
     "set mqtts://, or mqtt:// on a loopback address, or off; else passwords and offers can be read on the "
     "way"},
    {"MQTT_USERNAME", is_known_to_its_broker,
     "set it and MQTT_PASSWORD (best by MQTT_PASSWORD_FILE), or MQTT_CERT; a broker must not be open to "
     "anybody"},
    {"DOWNLOAD_KEY_FILE", [](const Config& config) { return !config.download_key_file.empty(); },
     "set a file with the key that signs download URLs (openssl rand -hex 32)"},
};

}  // namespace

std::vector<ProfileProblem> production_problems(const Config& config) {
  std::vector<ProfileProblem> problems;
  for (const auto& demand : kProduction) {
    if (!demand.is_met(config)) problems.push_back({demand.variable, demand.message});
  }
  return problems;
}

std::vector<std::string> start_warnings(const Config& config) {
  std::vector<std::string> warnings;
  if (!knows_its_devices(config)) {
    warnings.emplace_back(
        "DEVICE_AUTH=open: anybody who reaches this server can act for any device over REST; set token or "
        "mtls (docs/device-auth.md)");
  }
  if (!refuses_revoked_certificates(config)) {
    warnings.emplace_back(
        "HTTPS_CLIENT_CA without HTTPS_CLIENT_CRL: revoked certificates are known by the database alone");
  }
  if (!config.device_ca_cert.empty() && !config.https_cert.empty() && config.https_client_ca.empty()) {
    warnings.emplace_back(
        "HTTPS_CLIENT_CA is not set: this bridge issues certificates, but no device can renew its own here");
  }
  return warnings;
}

}  // namespace ota::bridge
