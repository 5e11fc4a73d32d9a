#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fleet/expected.hpp"
#include "fleet/limits.hpp"
#include "fleet/time.hpp"

namespace ota::fleet {

/// What a release's signer vouches for (docs/manifest.md has the format). The exact text travels from the
/// signer to the device; nobody on the way writes it anew.
struct Manifest {
  std::string model;
  std::string version;
  std::int64_t sequence =
      0;  ///< rises with every manifest of a model; a device takes no lower one than it runs
  std::string min_version;  ///< empty: none
  std::int64_t size_bytes = 0;
  std::string sha256;           ///< lower-case hex
  std::optional<Time> expires;  ///< refused afterwards
  std::string key_id;           ///< which public key verifies it
  std::string signature;        ///< base64, of the SHA-256 of `signed_text`
  std::string signed_text;      ///< every byte up to and with the line before the signature's
};

/// Reads a manifest strictly: the lines in their order, each `name=value` and ended by LF, nothing else.
/// `invalid` errors name the line. Whether the signature is right is for a verifier.
[[nodiscard]] Expected<Manifest> parse_manifest(std::string_view text);

/// The lines before the signature's, ended by LF: what is signed. Fields must fit the grammar.
[[nodiscard]] std::string manifest_text(const Manifest& manifest);

/// Tells whether the signature of a manifest is right and its key one that new uploads may use. A port;
/// thread safe.
class ManifestVerifier {
 public:
  virtual ~ManifestVerifier() = default;
  /// `invalid` for an unknown key, `conflict` for a retired one, `invalid` for a wrong signature.
  [[nodiscard]] virtual Expected<void> verify(const Manifest& manifest) const = 0;
};

}  // namespace ota::fleet
