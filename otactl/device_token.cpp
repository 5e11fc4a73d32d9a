#include "otactl/device_token.hpp"

#include <iostream>
#include <memory>

#include "otactl/answer.hpp"
#include "otactl/command.hpp"
#include "otactl/device.hpp"
#include "otactl/fresh_file.hpp"

namespace ota::otactl {
namespace {

using nlohmann::json;

constexpr const char* kWhenLost = "the token is lost, and the earlier one has ended: issue it once more";

struct TokenOptions {
  std::string device_id;
  std::string output = "-";
  bool revoke = false;
};

void issue(RestClient& client, const std::string& path, const std::string& output) {
  if (output == "-") {
    print_secret(text_of(value_or_end(client.post(path, json::object())), "token"), kWhenLost);
    return;
  }
  // Made before the old token ends: a place that cannot be written must not cost the device its token.
  auto file = FreshFile::make(output, 0600);
  if (!file) end_with(file.error().message);
  const auto token = text_of(value_or_end(client.post(path, json::object())), "token");
  const auto written = file->write(token + "\n").and_then([&] { return file->place(); });
  if (!written) end_with(written.error().message + "; " + kWhenLost);
}

void run(const TokenOptions& options, const ServerOptions& server) {
  auto client = RestClient::open_or_end(server);
  const auto path = device_path(options.device_id) + "/token";
  if (options.revoke) {
    say(value_or_end(client.remove(path)));
    return;
  }
  issue(client, path, options.output);
}

}  // namespace

void add_device_token(CLI::App& device, const ServerOptions& server) {
  auto* command = device.add_subcommand(
      "token", "Issue the token by which the device shows over REST who it is; an earlier one ends");
  auto options = std::make_shared<TokenOptions>();
  command->add_option("ID", options->device_id, "Device id")->required();
  auto* output = command
                     ->add_option("-o,--output", options->output,
                                  "File for the token, readable by you alone; - is standard output")
                     ->capture_default_str();
  command->add_flag("--revoke", options->revoke, "Take the device's token back instead")->excludes(output);
  command->callback([options, &server] { run(*options, server); });
}

}  // namespace ota::otactl
