#pragma once

#include <CLI/CLI.hpp>

#include "otactl/rest_client.hpp"

namespace ota::otactl {

/// Adds `otactl device add|replace|revoke|reinstate|decommission|adopt|certificates|token`. `server` must
/// outlive `app`.
void add_device(CLI::App& app, const ServerOptions& server);

/// The server's route to a device. Ends the command when `id` is no device id.
[[nodiscard]] std::string device_path(const std::string& id);

}  // namespace ota::otactl
