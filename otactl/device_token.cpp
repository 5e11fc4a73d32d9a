#include "otactl/device_token.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <iostream>
#include <memory>

#include "otactl/answer.hpp"
#include "otactl/command.hpp"

namespace ota::otactl {
namespace {

struct TokenOptions {
  std::string device_id;
  std::string output = "-";
  bool revoke = false;
};

// For its owner alone from the first byte on; an earlier file is not followed or reused.
int create_private(const std::string& path) {
  ::unlink(path.c_str());
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

void issue(RestClient& client, const std::string& path, const std::string& output) {
  // Made before the old token ends: a place that cannot be written must not cost the device its token.
  const int file = output == "-" ? -1 : create_private(output);
  if (output != "-" && file < 0) end_with("cannot write " + output);
  const auto answer = client.post(path, nlohmann::json::object());
  if (!answer) {
    if (file >= 0) ::unlink(output.c_str());
    end_with(answer.error().message);
  }
  const auto text = text_of(*answer, "token") + "\n";
  if (file < 0) {
    std::cout << text;
    return;
  }
  const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (::close(file) != 0 || !written) end_with("cannot write " + output + "; issue the token once more");
}

void run(const TokenOptions& options, const ServerOptions& server) {
  auto client = RestClient::open_or_end(server);
  const auto path = "/api/admin/devices/" + RestClient::segment(options.device_id) + "/token";
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
