#include "bridge/revocation_ports.hpp"

#include <chrono>

#include "bridge/broker_reload.hpp"
#include "bridge/broker_visit.hpp"

namespace ota::bridge {
namespace {

constexpr std::chrono::seconds kVisitWithin{3};

VisitOptions probe_options(const Config& config, const IssuingAuthority& authority) {
  VisitOptions options;
  options.url = config.broker_probe_url;
  options.client_id = "ota-bridge-" + config.replica + "@canary";
  options.ca_pem = authority.trust_anchor();
  return options;
}

// On the internal listener, where a client may choose its name.
VisitOptions cut_options(const Config& config) {
  VisitOptions options;
  options.url = config.mqtt_url;
  options.username = config.mqtt_username;
  options.password = config.mqtt_password;
  options.ca_pem = read_pem(config.mqtt_ca);
  options.cert_pem = read_pem(config.mqtt_cert);
  options.key_pem = read_pem(config.mqtt_key);
  return options;
}

}  // namespace

RevocationKeeper::Ports keeper_ports(const Config& config, const IssuingAuthority& authority) {
  RevocationKeeper::Ports ports;
  ports.authority = &authority;
  ports.crl_file = config.crl_file;
  ports.crl_days = config.crl_days;
  if (!config.broker_pid_file.empty()) {
    ports.reload = [file = config.broker_pid_file] { return reload_broker(file); };
  }
  if (!config.broker_probe_url.empty()) {
    ports.probe = [options = probe_options(config, authority)](const Canary& canary) mutable {
      options.cert_pem = canary.certificate;
      options.key_pem = canary.key;
      return visit_broker(options, kVisitWithin);
    };
  }
  if (config.mqtt_url != "off") {
    ports.cut = [options = cut_options(config)](const std::string& device_id) mutable {
      options.client_id = device_id;
      return visit_broker(options, kVisitWithin);
    };
  }
  return ports;
}

}  // namespace ota::bridge
