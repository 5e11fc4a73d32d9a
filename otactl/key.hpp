#pragma once

#include <CLI/CLI.hpp>

#include "otactl/rest_client.hpp"

namespace ota::otactl {

/// Adds `otactl key add|list|revoke`: the keys of the server's admin routes. `server` must outlive `app`.
void add_key(CLI::App& app, const ServerOptions& server);

}  // namespace ota::otactl
