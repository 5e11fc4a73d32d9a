#pragma once

#include <string>

#include "fleet/expected.hpp"

namespace ota::otactl {

/// Where the files of a device go.
struct DeviceFiles {
  std::string id;
  std::string key;   ///< ID.key; empty: the key is elsewhere and none is written
  std::string cert;  ///< ID.crt
  std::string ca;    ///< ca.crt, the authority's certificate: one for all devices of the folder

  [[nodiscard]] static DeviceFiles in(const std::string& folder, const std::string& id, bool with_key);
};

enum class Earlier {
  keep,     ///< files that are there are nobody's to overwrite
  replace,  ///< those of the same device may be replaced
};

/// Whether the files may be written: never over a file that is not known to be this device's, which is one
/// with a certificate in its name beside it. `conflict` with the file and the way out.
[[nodiscard]] fleet::Expected<void> may_write(const DeviceFiles& files, Earlier earlier);

/// Writes `ca` to its place. Another authority's certificate that is there moves to ca.crt.old, and that is
/// said on standard error. Ends the command when it cannot be.
void keep_authority(const DeviceFiles& files, const std::string& ca);

}  // namespace ota::otactl
