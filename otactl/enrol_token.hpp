#pragma once

#include <CLI/CLI.hpp>

#include "otactl/rest_client.hpp"

namespace ota::otactl {

/// Adds `otactl enrol-token create|list|revoke`: one-time tokens for devices. `server` must outlive `app`.
void add_enrol_token(CLI::App& app, const ServerOptions& server);

}  // namespace ota::otactl
