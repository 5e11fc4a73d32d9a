#pragma once
#include <cstdint>
#include <string_view>

#include "esp-client/core/model.hpp"

namespace ota::device {

// The signed manifest as the device reads it (docs/manifest.md has the format). The views point into the
// text.
struct Manifest {
  std::string_view model;
  std::string_view version;
  std::uint64_t sequence = 0;
  std::string_view min_version;  // empty: none
  std::uint64_t size_bytes = 0;
  std::string_view sha256;      // lower-case hex
  std::uint64_t expires_s = 0;  // since 1970; 0: never
  std::string_view key_id;
  std::string_view signature_base64;
  std::string_view signed_text;  // every byte up to and with the line before the signature's
};

// Returns nullptr when all of `text` is one manifest, else a sentence with static storage.
[[nodiscard]] const char* parse_manifest(std::string_view text, Manifest& out);

// The sixth port, of devices that take signed images only: the platform's public keys.
class Signatures {
 public:
  // Whether `signature_base64` is a signature over the SHA-256 of `signed_text` by the key named `key_id`.
  // False for a key that is not there.
  [[nodiscard]] virtual bool verify(std::string_view key_id, std::string_view signed_text,
                                    std::string_view signature_base64) = 0;

 protected:
  ~Signatures() = default;
};

// What a manifest is measured against.
struct TrustFloor {
  std::string_view model;
  std::string_view running_version;
  std::uint64_t sequence = 0;  // of the newest manifest whose image was confirmed; lower ones are refused
  std::uint64_t time_s = 0;    // it is later than this, seconds since 1970
};

// What to remember once the image has proven itself.
struct Vouched {
  std::uint64_t sequence = 0;
  std::uint64_t time_s = 0;  // 0: nothing that can be relied on
};

// Returns nullptr when the offer's manifest vouches for exactly that offer, else a sentence with static
// storage that says why the image must not be installed.
[[nodiscard]] const char* judge_manifest(const Offer& offer, const TrustFloor& floor, Signatures& signatures,
                                         Vouched& out);

}  // namespace ota::device
