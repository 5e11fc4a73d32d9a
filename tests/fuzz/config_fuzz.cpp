#include "bridge/config.hpp"

#include <map>

#include "tests/fuzz/fuzz.hpp"

using namespace ota;

namespace {

// What a file or folder of that name holds is read, which is none of this fuzzer's business.
bool names_a_file(std::string_view name) {
  for (const std::string_view word : {"FILE", "KEYS", "CERT", "_CA", "CRL", "MQTT_KEY", "HTTPS_KEY"}) {
    if (name.find(word) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

// NAME=value, a line each.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::map<std::string, std::string> environment;
  for (const auto line : fuzz::lines_of(fuzz::text_of(data, size), 16)) {
    const auto equals = line.find('=');
    if (equals != std::string_view::npos && !names_a_file(line.substr(0, equals)))
      environment[std::string(line.substr(0, equals))] = line.substr(equals + 1);
  }
  const auto config = bridge::read_config([&](const std::string& name) { return environment[name]; });
  if (config) {
    fuzz::require(config->port >= 0 && config->port <= 65535 && config->http_threads >= 8 &&
                      config->db_writers >= 1 && config->upload_bytes_max >= 1024,
                  "numbers lie in their ranges");
    return 0;
  }
  fuzz::require(config.error().message.find(": ") != std::string::npos, "a problem names its variable");
  return 0;
}
