#include "esp-client/core/manifest.hpp"

#include "fleet/manifest.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace ota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  device::Manifest manifest;
  const char* problem = device::parse_manifest(text, manifest);
  const auto server = fleet::parse_manifest(text);
  if (problem != nullptr) fuzz::require_sentence(problem);
  // Two readers without a common line of code: what the server takes, the device takes as the same. What the
  // device alone takes (digits in capitals, say) no signer of ours writes.
  if (!server) return 0;
  fuzz::require(problem == nullptr, "the device takes every manifest the server takes");
  fuzz::require(manifest.model == server->model && manifest.version == server->version &&
                    manifest.min_version == server->min_version && manifest.sha256 == server->sha256 &&
                    manifest.key_id == server->key_id,
                "they read the same texts");
  fuzz::require(manifest.sequence == static_cast<std::uint64_t>(server->sequence) &&
                    manifest.size_bytes == static_cast<std::uint64_t>(server->size_bytes),
                "they read the same numbers");
  fuzz::require((manifest.expires_s == 0) == !server->expires.has_value(), "they agree on expiry");
  fuzz::require(manifest.signed_text == server->signed_text && manifest.signature_base64 == server->signature,
                "they agree on what is signed");
  return 0;
}
