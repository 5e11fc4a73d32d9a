#include "esp-client/host/options.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string_view>

namespace ota::device::host {
namespace {

[[noreturn]] void refuse(const std::string& sentence) {
  std::cerr << "ota-device: " << sentence << "\n";
  std::exit(2);
}

void split_broker(Options& options) {
  const std::size_t colon = options.broker.rfind(':');
  const std::string port = colon == std::string::npos ? "" : options.broker.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), options.mqtt.port);
  if (error != std::errc() || end != port.data() + port.size() || colon == 0 || options.mqtt.port == 0) {
    refuse("--mqtt must be HOST:PORT, for example localhost:8883, not \"" + options.broker + "\"");
  }
  options.mqtt.host = options.broker.substr(0, colon);
}

std::string read_token(const std::string& path) {
  std::ifstream file(path);
  std::string token;
  if (!(file >> token)) throw std::runtime_error("cannot read a token from " + path);
  return token;
}

void strip_slash(std::string& url) {
  while (!url.empty() && url.back() == '/') url.pop_back();
}

void validate(Options& options) {
  if (!is_id(options.model)) refuse("--model must be 1 to 64 of A-Z a-z 0-9 . _ : -");
  if (!is_version(options.version)) refuse("--version must be 1 to 64 of A-Z a-z 0-9 . _ : + -");
  if (options.broker.empty() == options.rest_url.empty())
    refuse("give either --mqtt HOST:PORT or --rest URL");
  if (options.mqtt.cert_file.empty() != options.mqtt.key_file.empty())
    refuse("--cert and --key belong together");
  if (!options.broker.empty()) split_broker(options);
  strip_slash(options.rest_url);
  strip_slash(options.http_base_url);
  if (options.http_base_url.empty()) options.http_base_url = options.rest_url;
  if (options.http.ca_file.empty()) options.http.ca_file = options.mqtt.ca_file;
  for (const std::string& url : {options.rest_url, options.http_base_url}) {
    if (!url.empty() && (url[0] == '/' || !is_url(url)))
      refuse("\"" + url + "\" is not an http or https URL");
  }
}

// A device that gets its certificate itself needs to know where to put it.
void validate_enrolment(Options& options, const std::string& token_file) {
  auto& enrol = options.enrol;
  enrol.model = options.model;
  enrol.server_ca = options.http.ca_file;
  const bool wanted = !enrol.enroll_url.empty() || !enrol.renew_url.empty();
  if (wanted && options.mqtt.cert_file.empty())
    refuse("--enroll-url and --renew-url need --cert and --key, where the identity is kept");
  if (enrol.enroll_url.empty() != token_file.empty())
    refuse("--enroll-url and --enroll-token-file belong together");
  const auto& ca = options.mqtt.ca_file;
  if (!ca.empty() && enrol.enroll_url.empty() && !std::filesystem::exists(ca))
    refuse("--ca: there is no file " + ca);
  strip_slash(enrol.enroll_url);
  strip_slash(enrol.renew_url);
  for (const std::string& url : {enrol.enroll_url, enrol.renew_url}) {
    if (!url.empty() && (url[0] == '/' || !is_url(url)))
      refuse("\"" + url + "\" is not an http or https URL");
  }
  if (token_file.empty()) return;
  std::ifstream file(token_file);
  if (!std::getline(file, enrol.token) || enrol.token.empty())
    refuse("no token can be read from " + token_file);
}

void add_simulation_flags(CLI::App& app, Options& options) {
  app.add_option("--count", options.count, "So many devices in this process")->check(CLI::Range(1U, 100000U));
  app.add_flag("--once", options.once,
               "End when every device finished an update: 0 when all succeeded, 1 when one failed");
  app.add_option("--timeout-s", options.timeout_s, "End after so long, with 3 under --once");
  app.add_option("--fail-percent", options.fail_percent, "So many percent of the devices fail to install")
      ->check(CLI::Range(0U, 100U));
  app.add_flag("--boot-fails", options.boot_fails,
               "The new image does not start and the boot loader goes back (all devices, or --fail-percent)");
  app.add_option("--reboot-ms", options.reboot_ms, "How long a reboot takes")->capture_default_str();
  app.add_option("--slot-bytes", options.slot_bytes, "Room for an image")->capture_default_str();
  app.add_option("--rate-bytes-per-s", options.http.rate_bytes_per_s_max, "Download no faster than this");
  app.add_option("--chunk", options.http.chunk_bytes, "Bytes per read of a download (1024 and up)")
      ->check(CLI::Range(1024U, 524288U));
  app.add_flag("--no-fsync", options.no_fsync, "Do not force the state to disk: for large simulated fleets");
}

}  // namespace

Options parse_options(int argc, char** argv) {
  Options options;
  CLI::App app("A simulated device that keeps its firmware up to date over MQTT or REST", "ota-device");
  app.add_option("--id", options.id, "Device id; with --count, {n} stands for the number")->required();
  app.add_option("--model", options.model, "Device model")->required();
  app.add_option("--version", options.version, "What it runs when its state is empty; alone: this program's")
      ->required();
  app.add_option("--mac", options.mac, "MAC address to tell (one device only)");
  app.add_option("--mqtt", options.broker, "Broker, HOST:PORT");
  app.add_option("--rest", options.rest_url, "Poll this server over REST instead");
  app.add_option("--http", options.http_base_url, "What stands before a download_url that starts with /");
  app.add_option("--http-ca", options.http.ca_file,
                 "CA certificate for https, enrolment too; without it that of --ca")
      ->check(CLI::ExistingFile);
  app.add_option("--token-file", options.token_file,
                 "File with the device's token for the REST server; {id} is replaced");
  app.add_option("--ca", options.mqtt.ca_file,
                 "CA certificate; turns TLS on; enrolling writes it where it is not there");
  app.add_option("--cert", options.mqtt.cert_file,
                 "Device certificate, for the broker or the REST server; {id} is replaced");
  app.add_option("--key", options.mqtt.key_file, "Its key; {id} is replaced");
  app.add_option("--username", options.mqtt.username,
                 "MQTT user, where the broker asks for one; {id} is replaced");
  app.add_option("--password", options.mqtt.password, "MQTT password");
  std::string token_file;
  app.add_option("--enroll-url", options.enrol.enroll_url,
                 "Server to get a certificate from where --cert and --key are not there yet");
  app.add_option("--enroll-token-file", token_file, "File with the one-time token for it");
  app.add_option("--renew-url", options.enrol.renew_url,
                 "Server to renew the certificate at, by mutual TLS, in the last third of its life");
  app.add_option("--root", options.mqtt.root, "Root of the topics")->capture_default_str();
  app.add_option("--keepalive-s", options.mqtt.keepalive_s, "MQTT keep-alive")->check(CLI::Range(5U, 65535U));
  app.add_option(
         "--manifest-keys", options.manifest_keys,
         "Folder of public keys, <key id>.pem: take only images with a manifest signed by one of them")
      ->check(CLI::ExistingDirectory);
  app.add_option(
      "--built-at", options.built_at_s,
      "When the running image was made, in seconds since 1970: manifests that expired before it are refused");
  app.add_option("--state", options.state_folder, "Folder with one folder per device")->capture_default_str();
  app.add_option("--interval-s", options.interval_s, "Between two checks")->check(CLI::Range(1U, 604800U));
  app.add_option("--log-level", options.log_level, "trace, debug, info, warn, error")->capture_default_str();
  app.add_option("--events", options.events_file, "Also write what happens to this file, as JSON lines");
  add_simulation_flags(app, options);
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    std::cout << "ota-device " OTA_VERSION "\n";
    std::exit(0);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  validate(options);
  validate_enrolment(options, token_file);
  return options;
}

std::vector<std::string> fleet_ids(const Options& options) {
  std::vector<std::string> ids;
  const std::size_t at = options.id.find("{n}");
  const std::size_t width = std::max<std::size_t>(3, std::to_string(options.count).size());
  for (unsigned number = 1; number <= options.count; ++number) {
    std::string digits = std::to_string(number);
    digits.insert(0, width - digits.size(), '0');
    std::string id = options.id;
    if (at != std::string::npos) {
      id.replace(at, 3, digits);
    } else if (options.count > 1) {
      id += "-" + digits;
    }
    if (!is_id(id))
      throw std::runtime_error("\"" + id + "\" is no device id: 1 to 64 of A-Z a-z 0-9 . _ : -");
    ids.push_back(id);
  }
  return ids;
}

std::string with_id(std::string text, const std::string& id) {
  for (std::size_t at = text.find("{id}"); at != std::string::npos; at = text.find("{id}", at + id.size())) {
    text.replace(at, 4, id);
  }
  return text;
}

DeviceOptions device_options(const Options& options, const std::string& id, unsigned index) {
  DeviceOptions device;
  device.identity.device_id.append_cut(id);
  device.identity.model.append_cut(options.model);
  if (options.count == 1) device.identity.mac.append_cut(options.mac);
  device.identity.built_at_s = options.built_at_s;
  device.first_version = options.version;
  device.folder = options.state_folder + "/" + id;
  device.http_base_url = options.http_base_url;
  if (!options.token_file.empty()) device.credentials.token = read_token(with_id(options.token_file, id));
  if (!options.rest_url.empty()) {
    device.credentials.cert_file = with_id(options.mqtt.cert_file, id);
    device.credentials.key_file = with_id(options.mqtt.key_file, id);
  }
  device.timing.check_interval_ms = options.interval_s * 1000;
  device.slot_bytes = options.slot_bytes;
  device.reboot_ms = options.reboot_ms;
  device.durable = !options.no_fsync;
  // Spread evenly over the fleet, and exactly as many as asked for.
  const unsigned percent = options.boot_fails && options.fail_percent == 0 ? 100 : options.fail_percent;
  const bool fails = (index + 1) * percent / 100 > index * percent / 100;
  const auto fault = options.boot_fails ? FileSlots::Fault::kBootFails : FileSlots::Fault::kSwitchFails;
  device.fault = fails ? fault : FileSlots::Fault::kNone;
  return device;
}

}  // namespace ota::device::host
