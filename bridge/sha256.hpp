#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ota::bridge {

using Sha256Digest = std::array<std::uint8_t, 32>;

/// SHA-256 of a text; fits fleet::Sha256. Thread safe.
[[nodiscard]] Sha256Digest sha256(std::string_view text);

/// Lower-case hex, as checksums are stored and told.
[[nodiscard]] std::string to_hex(const Sha256Digest& digest);

/// SHA-256 of bytes that come in pieces. One thread.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(const Sha256Stream&) = delete;
  Sha256Stream& operator=(const Sha256Stream&) = delete;

  void update(std::string_view bytes);
  /// Of everything so far; call once, last.
  [[nodiscard]] Sha256Digest finish();

 private:
  struct Context;  // the library's, kept out of this header
  std::unique_ptr<Context> context_;
};

}  // namespace ota::bridge
