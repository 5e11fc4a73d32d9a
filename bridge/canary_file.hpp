#pragma once

#include <optional>
#include <string>

#include "bridge/issuing_authority.hpp"
#include "fleet/expected.hpp"

namespace ota::bridge {

/// Keeps the canary of the revocation list beside it, so that a bridge that starts can tell whether the
/// broker already has that list, and leaves it alone if so. For this process' user only.
class CanaryFile {
 public:
  explicit CanaryFile(const std::string& crl_file) : path_(crl_file + ".canary") {}

  /// Nothing when there is none, or none that can be used.
  [[nodiscard]] std::optional<Canary> read() const;
  /// `unavailable` when it cannot be written.
  [[nodiscard]] fleet::Expected<void> replace(const Canary& canary) const;

 private:
  const std::string path_;
};

}  // namespace ota::bridge
