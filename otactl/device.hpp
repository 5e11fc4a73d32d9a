#pragma once

#include <CLI/CLI.hpp>

#include "otactl/rest_client.hpp"

namespace ota::otactl {

/// Adds the subcommands `device` (add, replace, revoke, reinstate, decommission, certificates) and
/// `enrol-token` (create, list, revoke).
void add_device(CLI::App& app, const ServerOptions& server);

}  // namespace ota::otactl
