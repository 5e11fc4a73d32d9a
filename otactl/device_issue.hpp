#pragma once

#include <CLI/CLI.hpp>

#include "otactl/rest_client.hpp"

namespace ota::otactl {

/// Adds `add` and `replace` to `device`: they have the server issue a certificate and keep it in files.
/// `server` outlives the command.
void add_device_issue(CLI::App& device, const ServerOptions& server);

}  // namespace ota::otactl
