#pragma once

#include "otactl/rest_client.hpp"

namespace ota::otactl {

/// Adds `token` to `device`, the commands for single devices: issues the device's token or takes it back.
/// `server` outlives the command.
void add_device_token(CLI::App& device, const ServerOptions& server);

}  // namespace ota::otactl
