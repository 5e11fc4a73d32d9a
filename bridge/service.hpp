#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bridge/config.hpp"
#include "fleet/expected.hpp"

namespace ota::bridge {

/// The whole bridge, joined: database, inbox, broker, HTTP. Owned by main.
class Service {
 public:
  explicit Service(const Config& config);
  ~Service();

  /// Opens the HTTP port, so that /health answers from the first moment; devices wait until run_devices().
  [[nodiscard]] fleet::Expected<int> open();
  /// Starts everything else; the database's schema must be there.
  void run_devices();
  /// Graceful: no new work, what was taken in is committed and answered, the broker is told.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Tests the files that the settings name and that no other test has read: those of HTTPS. Warnings, a
/// sentence each; or `invalid`, naming the variable.
[[nodiscard]] fleet::Expected<std::vector<std::string>> test_files(const Config& config);

/// Version of this program, from the build.
[[nodiscard]] const char* program_version();

}  // namespace ota::bridge
