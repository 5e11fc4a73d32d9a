#pragma once

#include <CLI/CLI.hpp>

namespace ota::otactl {

/// Adds `otactl sign`: makes the signed manifest of an image. Throws CLI::RuntimeError with exit status 1
/// after saying why on standard error.
void add_sign(CLI::App& app);

}  // namespace ota::otactl
