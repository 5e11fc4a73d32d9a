#include "otactl/device.hpp"

#include <iostream>
#include <memory>

#include "fleet/ids.hpp"
#include "otactl/answer.hpp"
#include "otactl/command.hpp"
#include "otactl/device_issue.hpp"
#include "otactl/device_token.hpp"

namespace ota::otactl {
namespace {

using nlohmann::json;

struct DeviceOptions {
  std::string id;
  std::string why;
  std::vector<std::string> serials;
};

// The order was carried out either way, so the status is 0; a mistyped id must be noticed all the same.
void say_revoked(const std::string& id, const json& answer) {
  say(answer);
  const auto count = number_of(answer, "certificates_revoked");
  std::cout << "certificates revoked: " << count << '\n';
  const auto known = answer.find("known");  // not told by earlier servers
  if (known != answer.end() && *known == false) {
    std::cerr << "otactl: warning: no device with the id " << id
              << " was ever seen here; it is barred from now on (otactl device reinstate lets it in again)\n";
  }
  if (count == 0) {
    std::cerr << "otactl: warning: no certificate was revoked: none of " << id
              << " is known here, or all were revoked before; give those made elsewhere by --serial\n";
  }
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
    say_revoked(options->id, value_or_end(RestClient::open_or_end(server).post(
                                 device_path(options->id) + "/revoke",
                                 {{"why", options->why}, {"serials", options->serials}})));
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

std::string device_path(const std::string& id) {
  if (const auto parsed = fleet::parse_id("device id", id); !parsed) end_with(parsed.error().message);
  return "/api/admin/devices/" + RestClient::segment(id);
}

void add_device(CLI::App& app, const ServerOptions& server) {
  auto* device = app.add_subcommand("device", "A device's identity: its certificates, its token");
  device->require_subcommand(1);
  device->fallthrough();
  const auto options = std::make_shared<DeviceOptions>();
  add_device_issue(*device, server);
  add_orders(*device, options, server);
  add_device_token(*device, server);
}

}  // namespace ota::otactl
