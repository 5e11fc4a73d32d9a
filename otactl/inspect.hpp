#pragma once

namespace CLI {
class App;
}

namespace ota::otactl {

/// Adds `otactl inspect`: says what an image is, and whether the server would take it. Throws
/// CLI::RuntimeError with exit status 1 after saying why on standard error.
void add_inspect(CLI::App& app);

}  // namespace ota::otactl
