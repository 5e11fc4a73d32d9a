#include "fleet/manifest.hpp"

#include "tests/fuzz/fuzz.hpp"

using namespace ota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  const auto manifest = fleet::parse_manifest(text);
  if (fuzz::value_or_sentence(manifest) == nullptr) return 0;
  // There is one way to write a manifest, so nobody can vary one that is signed.
  fuzz::require(fleet::manifest_text(*manifest) == manifest->signed_text, "a manifest is written in one way");
  fuzz::require(manifest->signed_text + "signature=" + manifest->signature + "\n" == text,
                "and nothing else stands in it");
  fuzz::require(manifest->sequence > 0 && manifest->size_bytes > 0 && manifest->sha256.size() == 64,
                "its numbers mean something");
  return 0;
}
