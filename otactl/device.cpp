#include "otactl/device.hpp"

#include <algorithm>
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
              << " is known here, or all were revoked before; those made elsewhere: otactl device adopt, or "
                 "--serial\n";
  }
}

// Files of this many are one request; a certificate has about a kilobyte.
constexpr std::size_t kAdoptedAtOnce = 500;

void adopt(const std::vector<std::string>& files, const ServerOptions& server) {
  auto client = RestClient::open_or_end(server);
  std::int64_t adopted = 0;
  std::int64_t ours = 0;
  for (std::size_t begin = 0; begin < files.size(); begin += kAdoptedAtOnce) {
    std::string pems;
    for (std::size_t i = begin; i < std::min(files.size(), begin + kAdoptedAtOnce); ++i) {
      const auto pem = read_file(files[i]);
      // A key has no business at the server.
      if (pem.find("PRIVATE KEY") != std::string::npos)
        end_with(files[i] + " holds a private key; give the certificate alone");
      pems += pem + '\n';
    }
    const auto answer = value_or_end(client.post("/api/admin/certificates", {{"certificates", pems}}));
    adopted += number_of(answer, "adopted");
    ours += number_of(answer, "of_this_authority");
    for (const auto& name : list_of(answer, "foreign")) {
      std::cerr << "otactl: warning: passed over " << name.dump()
                << ": no certificate that this authority has issued to a device\n";
    }
  }
  std::cout << adopted << " certificates adopted, " << ours - adopted << " known before\n";
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

  auto* adopting = device.add_subcommand(
      "adopt", "Make certificates known that were made elsewhere, so that a revocation reaches them");
  const auto files = std::make_shared<std::vector<std::string>>();
  adopting->add_option("CERTIFICATE", *files, "certificate files in PEM form")
      ->required()
      ->check(CLI::ExistingFile);
  adopting->callback([files, &server] { adopt(*files, server); });

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
