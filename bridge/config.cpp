#include "bridge/config.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string_view>

#include "bridge/broker_address.hpp"
#include "bridge/config_profile.hpp"
#include "bridge/download_key.hpp"
#include "bridge/issuing_authority.hpp"
#include "bridge/manifest_keys.hpp"
#include "bridge/secret_file.hpp"
#include "fleet/ids.hpp"
#include "topics/names.hpp"

namespace ota::bridge {
namespace {

using fleet::ErrorKind;
using fleet::Expected;
// Of PUBLIC_URL, where the rest of a download URL carries a ticket.
constexpr std::size_t kSignedUrlBytesMax = 200;

using Set = Expected<void> (*)(Config&, const std::string&);

Expected<std::int64_t> whole_number(const std::string& text, std::int64_t least, std::int64_t most) {
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size() || number < least || number > most) {
    return fleet::fail(ErrorKind::invalid, fleet::quoted(text) + " is not a whole number from " +
                                               std::to_string(least) + " to " + std::to_string(most));
  }
  return number;
}

template <std::string Config::*Field>
Expected<void> text(Config& config, const std::string& value) {
  config.*Field = value;
  return {};
}

// A file's text in place of another variable's value, which is seen by whoever sees the environment.
template <std::string Config::*Field>
Expected<void> secret(Config& config, const std::string& path) {
  if (path.empty()) return {};
  return read_secret_file(path).map([&](const std::string& secret) { config.*Field = secret; });
}

template <int Config::*Field, int Least, int Most>
Expected<void> number(Config& config, const std::string& value) {
  return whole_number(value, Least, Most).map([&](std::int64_t n) { config.*Field = static_cast<int>(n); });
}

Expected<void> upload_limit(Config& config, const std::string& value) {
  constexpr std::int64_t kMost = std::int64_t{1} << 32;
  return whole_number(value, 1024, kMost).map([&](std::int64_t n) { config.upload_bytes_max = n; });
}

// What a path may be appended to.
bool is_base_url(const std::string& value) {
  const auto scheme_end = value.find("://");
  if (scheme_end == std::string::npos) return false;
  const auto scheme = value.substr(0, scheme_end);
  const auto rest = value.substr(scheme_end + 3);
  const bool plain = std::all_of(rest.begin(), rest.end(), [](char c) {
    return c > ' ' && c < 0x7f && std::string_view("\"\\<>?#").find(c) == std::string_view::npos;
  });
  return (scheme == "http" || scheme == "https") && plain &&
         parse_host_port(rest.substr(0, rest.find('/'))).has_value();
}

Expected<void> public_url(Config& config, const std::string& value) {
  constexpr std::size_t kUrlBytesMax = 256;  // an offer has to fit into a device's 1024 bytes
  if (!value.empty() && (!is_base_url(value) || value.size() > kUrlBytesMax)) {
    return fleet::fail(ErrorKind::invalid,
                       fleet::quoted(value) +
                           " must be http:// or https:// with a host, then perhaps a port and a "
                           "path, without blanks, at most 256 characters");
  }
  config.public_url = value;
  while (!config.public_url.empty() && config.public_url.back() == '/') config.public_url.pop_back();
  return {};
}

Expected<void> trusted_proxies(Config& config, const std::string& value) {
  return fleet::parse_networks(value).map(
      [&](std::vector<fleet::IpNetwork>&& networks) { config.trusted_proxies = std::move(networks); });
}

Expected<void> mqtt_url(Config& config, const std::string& value) {
  if (value != "off") {
    if (const auto address = parse_broker_url(value); !address)
      return fleet::fail(ErrorKind::invalid, address.error().message + " (off runs REST alone)");
  }
  config.mqtt_url = value;
  return {};
}

Expected<void> mqtt_root(Config& config, const std::string& value) {
  return topics::Names::make(value).map([&](const topics::Names&) { config.mqtt_root = value; });
}

template <std::string Config::*Field, bool MayBeEmpty>
Expected<void> name(Config& config, const std::string& value) {
  if (MayBeEmpty && value.empty()) return {};
  return fleet::parse_id("the name", value).map([&](const std::string& id) { config.*Field = id; });
}

Expected<void> log_level(Config& config, const std::string& value) {
  for (const char* level : {"trace", "debug", "info", "warn", "error"}) {
    if (value == level) {
      config.log_level = value;
      return {};
    }
  }
  return fleet::fail(ErrorKind::invalid, fleet::quoted(value) + " must be trace, debug, info, warn or error");
}

Expected<void> broker_probe_url(Config& config, const std::string& value) {
  if (const auto address = parse_broker_url(value); !value.empty() && (!address || !address->tls))
    return fleet::fail(ErrorKind::invalid, fleet::quoted(value) + " must be mqtts://host:port");
  config.broker_probe_url = value;
  return {};
}

template <bool Config::*Member>
Expected<void> flag(Config& config, const std::string& value) {
  if (value != "0" && value != "1")
    return fleet::fail(ErrorKind::invalid, fleet::quoted(value) + " must be 0 or 1");
  config.*Member = value == "1";
  return {};
}

Expected<void> model_chips(Config& config, const std::string& value) {
  return fleet::parse_model_chips(value).map(
      [&](fleet::ModelChips chips) { config.images.model_chips = std::move(chips); });
}

Expected<void> inspect_images(Config& config, const std::string& value) {
  if (value != "lenient" && value != "strict") {
    return fleet::fail(ErrorKind::invalid, fleet::quoted(value) + " must be lenient or strict");
  }
  config.images.strict = value == "strict";
  return {};
}

// The database refuses to remove younger events.
Expected<void> events_keep_days(Config& config, const std::string& value) {
  if (auto read = number<&Config::events_keep_days, 0, 36500>(config, value); !read) return read;
  if (config.events_keep_days == 0 || config.events_keep_days >= 30) return {};
  return fleet::fail(ErrorKind::invalid, "must be 0 or a whole number from 30 to 36500");
}

Expected<void> device_auth(Config& config, const std::string& value) {
  const auto auth = fleet::parse_device_auth(value);
  if (!auth) return fleet::fail(ErrorKind::invalid, fleet::quoted(value) + " must be open, token or mtls");
  config.device_auth = *auth;
  return {};
}

Expected<void> profile(Config& config, const std::string& value) {
  if (value != "development" && value != "production") {
    return fleet::fail(ErrorKind::invalid, fleet::quoted(value) + " must be development or production");
  }
  config.is_production = value == "production";
  return {};
}

struct Row {
  const char* name;
  const char* fallback;
  Set set;
  const char* help;
};

constexpr Row kRows[] = {
    {"OTA_PROFILE", "development", profile,
     "production refuses to start with settings that are fit for development alone"},
    {"HOST", "0.0.0.0", text<&Config::host>, "address the HTTP server listens on"},
    {"PORT", "8080", number<&Config::port, 0, 65535>, "port of the HTTP server; 0 takes a free one"},
    {"API_KEY", "", text<&Config::api_key>,
     "root key of the admin routes (X-API-Key); without it, and without keys made by it, they answer 503"},
    {"API_KEY_FILE", "", secret<&Config::api_key>, "file that holds API_KEY instead"},
    {"DEVICE_AUTH", "open", device_auth,
     "how devices show over REST who they are: open (not at all), token, or mtls"},
    {"TRUSTED_PROXIES", "", trusted_proxies,
     "addresses and networks, separated by commas, of the proxies whose X-Forwarded-For is believed"},
    {"FIRMWARE_STORAGE_PATH", "/firmware", text<&Config::storage_path>, "folder of the firmware images"},
    {"PUBLIC_URL", "", public_url,
     "what devices reach the HTTP server by; makes download_url in MQTT offers absolute"},
    {"DOWNLOAD_KEY_FILE", "", text<&Config::download_key_file>,
     "file of one or two keys that sign download URLs, which then expire and are for one device"},
    {"DOWNLOAD_URL_MINUTES", "1440", number<&Config::download_url_minutes, 1, 43200>,
     "how long a signed download URL may be begun with"},
    {"UPLOAD_BYTES_MAX", "67108864", upload_limit, "largest firmware image in bytes"},
    {"HTTP_THREADS", "512", number<&Config::http_threads, 8, 4096>, "most connections served at once"},
    {"HTTPS_CERT", "", text<&Config::https_cert>,
     "PEM file of the server's certificate and those above it; PORT then speaks HTTPS"},
    {"HTTPS_KEY", "", text<&Config::https_key>, "PEM file of its key"},
    {"HTTPS_CLIENT_CA", "", text<&Config::https_client_ca>,
     "PEM file of the authorities whose client certificates are accepted; clients without one are served "
     "too"},
    {"HTTPS_CLIENT_CRL", "", text<&Config::https_client_crl>,
     "PEM file of their lists of revoked certificates"},
    {"MQTT_URL", "mqtt://127.0.0.1:1883", mqtt_url,
     "the broker: mqtt://host:port, mqtts://host:port, or off"},
    {"MQTT_USERNAME", "", text<&Config::mqtt_username>, "user on the broker's internal listener"},
    {"MQTT_PASSWORD", "", text<&Config::mqtt_password>, "its password"},
    {"MQTT_PASSWORD_FILE", "", secret<&Config::mqtt_password>, "file that holds MQTT_PASSWORD instead"},
    {"MQTT_CA", "", text<&Config::mqtt_ca>, "certificate file the broker is verified against (mqtts)"},
    {"MQTT_CERT", "", text<&Config::mqtt_cert>, "client certificate file (mqtts)"},
    {"MQTT_KEY", "", text<&Config::mqtt_key>, "its key file"},
    {"MQTT_ROOT", "ota/v1", mqtt_root, "first levels of every topic"},
    {"MQTT_SHARED_GROUP", "", name<&Config::mqtt_shared_group, true>,
     "name of a shared subscription, so that several bridges work side by side"},
    {"REPLICA", "bridge", name<&Config::replica, false>,
     "name of this bridge on its service topic and to the broker"},
    {"DB_WRITERS", "1", number<&Config::db_writers, 1, 16>,
     "connections that write device messages; more only where a commit takes long"},
    {"DEVICE_MESSAGES_PER_SECOND", "5", number<&Config::device_messages_per_second, 0, 1000000>,
     "steady rate of one device's messages, after a burst of 20 or four seconds' worth; 0: no limit"},
    {"PUSH_PER_SECOND", "0", number<&Config::push_per_second, 0, 1000000>,
     "most offers pushed per second; 0: as fast as the broker acknowledges"},
    {"MANIFEST_KEYS", "", text<&Config::manifest_keys>,
     "folder of the public keys (<key id>.pem) that verify signed manifests; retired ones in its folder "
     "retired"},
    {"REQUIRE_SIGNED", "0", flag<&Config::require_signed>,
     "1 refuses uploads without a manifest that verifies"},
    {"DEVICE_CA_CERT", "", text<&Config::device_ca_cert>,
     "file of the issuing certificate and those above it (chain.crt); the bridge then issues certificates"},
    {"DEVICE_CA_KEY", "", text<&Config::device_ca_key>, "file of its private key"},
    {"DEVICE_CERT_DAYS", "825", number<&Config::device_cert_days, 1, 7300>,
     "days a device's certificate is valid"},
    {"CRL_FILE", "", text<&Config::crl_file>,
     "the broker's revocation list, which the bridge then keeps (crlfile of mosquitto.conf)"},
    {"CRL_DAYS", "90", number<&Config::crl_days, 60, 3650>,
     "days a revocation list is valid; it is renewed when half of them have passed"},
    {"BROKER_PID_FILE", "", text<&Config::broker_pid_file>,
     "process id file of the Mosquitto to signal when the list has changed"},
    {"BROKER_PROBE_URL", "", broker_probe_url,
     "the broker's devices' listener, mqtts://host:port; tried to prove that revoked certificates are "
     "refused"},
    {"MODEL_CHIPS", "", model_chips,
     "chip of each model, as esp32-cam=esp32,kitchen=esp32c3; uploads for it must be images of that chip"},
    {"INSPECT_IMAGES", "lenient", inspect_images,
     "strict refuses uploads of no known image format for every model"},
    {"EVENTS_KEEP_DAYS", "400", events_keep_days,
     "age in days at which rows of the audit log are removed, from 30; 0: never"},
    {"LOG_LEVEL", "info", log_level, "trace, debug, info, warn or error"},
};

using Get = std::function<std::string(const std::string&)>;

// A line for each, which begins with its variable.
class Problems {
 public:
  void add(const std::string& variable, const std::string& message) {
    if (!text_.empty()) text_ += '\n';
    text_ += variable + ": " + message;
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

void test_secrets(const Get& get, Config& config, Problems& problems) {
  for (const auto* name : {"API_KEY", "MQTT_PASSWORD"}) {
    const auto file = std::string(name) + "_FILE";
    if (!get(name).empty() && !get(file).empty())
      problems.add(name, "is set and so is " + file + "; set one");
  }
  if (!config.mqtt_password.empty() && config.mqtt_username.empty()) {
    problems.add("MQTT_PASSWORD", "needs MQTT_USERNAME, whose password it is");
  }
  if (const auto key = DownloadKey::load(config.download_key_file); !key) {
    problems.add("DOWNLOAD_KEY_FILE", key.error().message);
  } else if (*key && config.public_url.size() > kSignedUrlBytesMax) {
    problems.add("PUBLIC_URL", "may have 200 characters with DOWNLOAD_KEY_FILE: devices take URLs of 512");
  }
  for (const auto* name : {"API_KEY_FILE", "MQTT_PASSWORD_FILE", "MQTT_KEY", "DOWNLOAD_KEY_FILE", "HTTPS_KEY",
                           "DEVICE_CA_KEY"}) {
    if (auto warning = warn_of_readers(name, get(name)); !warning.empty())
      config.warnings.push_back(std::move(warning));
  }
}

void test_tls(const Config& config, Problems& problems) {
  if (config.mqtt_cert.empty() != config.mqtt_key.empty()) {
    problems.add("MQTT_CERT", "goes together with MQTT_KEY; one of them is missing");
  }
  if (config.https_cert.empty() != config.https_key.empty()) {
    problems.add("HTTPS_CERT", "goes together with HTTPS_KEY; one of them is missing");
  }
  if (!config.https_client_ca.empty() && config.https_cert.empty()) {
    problems.add("HTTPS_CLIENT_CA", "needs HTTPS_CERT: without TLS no client shows a certificate");
  }
  if (!config.https_client_crl.empty() && config.https_client_ca.empty()) {
    problems.add("HTTPS_CLIENT_CRL", "needs HTTPS_CLIENT_CA, the authorities that write the lists");
  }
  if (config.device_auth == fleet::DeviceAuth::mtls && config.https_client_ca.empty()) {
    problems.add("DEVICE_AUTH", "mtls needs HTTPS_CLIENT_CA, by which devices' certificates are verified");
  }
}

void test_signing(const Config& config, Problems& problems) {
  if (const auto keys = ManifestKeys::load(config.manifest_keys); !keys) {
    problems.add("MANIFEST_KEYS", keys.error().message);
  } else if (config.require_signed && (*keys)->empty()) {
    problems.add("REQUIRE_SIGNED", "needs MANIFEST_KEYS with at least one key");
  }
  if (config.device_ca_cert.empty() != config.device_ca_key.empty()) {
    problems.add("DEVICE_CA_CERT", "goes together with DEVICE_CA_KEY; one of them is missing");
  } else if (const auto authority =
                 IssuingAuthority::load(config.device_ca_cert, config.device_ca_key, config.device_cert_days);
             !authority) {
    problems.add("DEVICE_CA_CERT", authority.error().message);
  }
  if (!config.crl_file.empty() && config.device_ca_cert.empty()) {
    problems.add("CRL_FILE", "needs DEVICE_CA_CERT and DEVICE_CA_KEY, which sign it");
  }
  for (const auto& [name, value] : {std::pair{"BROKER_PID_FILE", &config.broker_pid_file},
                                    std::pair{"BROKER_PROBE_URL", &config.broker_probe_url}}) {
    if (!value->empty() && config.crl_file.empty())
      problems.add(name, "is only of use with CRL_FILE, which is missing");
  }
}

}  // namespace

std::vector<ConfigVariable> config_variables() {
  std::vector<ConfigVariable> variables;
  for (const auto& row : kRows) variables.push_back({row.name, row.fallback, row.help});
  return variables;
}

Expected<Config> read_config(const std::function<std::string(const std::string&)>& get) {
  Config config;
  Problems problems;
  for (const auto& row : kRows) {
    const auto value = get(row.name);
    const auto done = row.set(config, value.empty() ? row.fallback : value);
    if (!done) problems.add(row.name, done.error().message);
  }
  if (!config.mqtt_shared_group.empty() && get("REPLICA").empty()) {
    problems.add("REPLICA", "bridges that share a subscription need a name each; give every one its own");
  }
  test_secrets(get, config, problems);
  test_tls(config, problems);
  test_signing(config, problems);
  if (config.is_production) {
    for (const auto& problem : production_problems(config))
      problems.add(problem.variable, problem.message + " (OTA_PROFILE=production)");
  }
  if (!problems.text().empty()) return fleet::fail(ErrorKind::invalid, problems.text());
  for (auto& warning : start_warnings(config)) config.warnings.push_back(std::move(warning));
  return config;
}

}  // namespace ota::bridge
