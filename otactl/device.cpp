#include "otactl/device.hpp"

#include <filesystem>
#include <iostream>
#include <memory>

#include "fleet/ids.hpp"
#include "otactl/answer.hpp"
#include "otactl/command.hpp"
#include "otactl/device_key.hpp"
#include "otactl/device_token.hpp"

namespace ota::otactl {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct DeviceOptions {
  std::string id;
  std::string out = ".";
  std::string csr_file;
  std::string why;
  std::vector<std::string> serials;
};

std::string device_path(const std::string& id) {
  if (const auto parsed = fleet::parse_id("device id", id); !parsed) end_with(parsed.error().message);
  return "/api/admin/devices/" + RestClient::segment(id);
}

void write_or_end(const fs::path& path, const std::string& text, unsigned mode) {
  if (const auto written = write_whole(path.string(), text, mode); !written)
    end_with(written.error().message);
}

// The key is written before anything is asked, so that no certificate is issued for a key that nobody keeps;
// it takes its final name with the certificate.
void issue(const DeviceOptions& options, const ServerOptions& server, const char* route) {
  const auto path = device_path(options.id) + "/" + route;
  auto client = RestClient::open_or_end(server);
  const auto base = fs::path(options.out) / options.id;
  std::error_code error;
  fs::create_directories(options.out, error);
  const fs::path fresh_key = base.string() + ".key.new";
  std::string csr;
  if (options.csr_file.empty()) {
    const auto key = make_device_key(options.id);
    if (!key) end_with(key.error().message);
    write_or_end(fresh_key, key->key_pem, 0600);
    csr = key->csr_pem;
  } else {
    csr = read_file(options.csr_file);
  }
  json body = {{"csr", csr}};
  if (!options.why.empty()) body["why"] = options.why;
  const auto answer = client.post(path, body);
  if (!answer) {
    if (options.csr_file.empty()) fs::remove(fresh_key, error);
    end_with(answer.error().message);
  }
  if (options.csr_file.empty()) {
    fs::rename(fresh_key, base.string() + ".key", error);
    if (error) end_with("cannot write " + base.string() + ".key: " + error.message());
    std::cout << "KEY=" << base.string() << ".key\n";
  }
  write_or_end(base.string() + ".crt", text_of(*answer, "certificate"), 0644);
  write_or_end(fs::path(options.out) / "ca.crt", text_of(*answer, "ca"), 0644);
  std::cout << "CERT=" << base.string() << ".crt\nCA=" << (fs::path(options.out) / "ca.crt").string()
            << "\nvalid until " << text_of(*answer, "not_after") << '\n';
}

void add_issuing(CLI::App& device, const std::shared_ptr<DeviceOptions>& options, const ServerOptions& server,
                 const char* name, const char* route, const char* help) {
  auto* command = device.add_subcommand(name, help);
  command->add_option("ID", options->id, "the device's id")->required();
  command->add_option("--out", options->out,
                      "folder for ID.key (mode 0600), ID.crt and ca.crt (default: here)");
  command->add_option("--csr", options->csr_file,
                      "a certificate request of the device's own key, which then stays there");
  command->add_option("--why", options->why, "for the audit log");
  command->callback([=, &server] { issue(*options, server, route); });
}

void add_orders(CLI::App& device, const std::shared_ptr<DeviceOptions>& options,
                const ServerOptions& server) {
  auto* revoke = device.add_subcommand(
      "revoke", "Take a device's identity back: it is cut off, and nothing it says counts any more");
  revoke->add_option("ID", options->id, "the device's id")->required();
  revoke->add_option("--serial", options->serials,
                     "a certificate of it that the server does not know, by its serial");
  revoke->add_option("--why", options->why, "for the audit log");
  revoke->callback([=, &server] {
    say(value_or_end(RestClient::open_or_end(server).post(
        device_path(options->id) + "/revoke", {{"why", options->why}, {"serials", options->serials}})));
  });

  auto* reinstate =
      device.add_subcommand("reinstate", "Let a revoked device be heard again; then issue a new certificate");
  reinstate->add_option("ID", options->id, "the device's id")->required();
  reinstate->add_option("--why", options->why, "for the audit log");
  reinstate->callback([=, &server] {
    say(value_or_end(RestClient::open_or_end(server).post(device_path(options->id) + "/reinstate",
                                                          {{"why", options->why}})));
  });

  auto* decommission = device.add_subcommand(
      "decommission", "Revoke a device's certificates and forget it, but for its history");
  decommission->add_option("ID", options->id, "the device's id")->required();
  decommission->callback(
      [=, &server] { say(value_or_end(RestClient::open_or_end(server).remove(device_path(options->id)))); });

  auto* certificates = device.add_subcommand("certificates", "List a device's certificates");
  certificates->add_option("ID", options->id, "the device's id")->required();
  certificates->callback([=, &server] {
    const auto answer =
        value_or_end(RestClient::open_or_end(server).get(device_path(options->id) + "/certificates"));
    for (const auto& row : list_of(answer, "certificates")) {
      const auto revoked = optional_text_of(row, "revoked_at");
      const auto until = optional_text_of(row, "not_after");
      std::cout << text_of(row, "serial") << "  until " << (until.empty() ? "?" : until)
                << (revoked.empty() ? "  valid" : "  revoked " + revoked) << '\n';
    }
  });
}

}  // namespace

void add_device(CLI::App& app, const ServerOptions& server) {
  auto* device = app.add_subcommand("device", "A device's identity: its certificates, its token");
  device->require_subcommand(1);
  device->fallthrough();
  const auto options = std::make_shared<DeviceOptions>();
  add_issuing(*device, options, server, "add", "certificate",
              "Make a key here and have the server issue a certificate for it");
  add_issuing(*device, options, server, "replace", "replace",
              "The same for other hardware under the same id: revokes the earlier certificates");
  add_orders(*device, options, server);
  add_device_token(*device, server);
}

}  // namespace ota::otactl
