#pragma once

#include <cstdint>
#include <string>

#include "bridge/issuing_authority.hpp"
#include "fleet/expected.hpp"

namespace ota::bridge {

/// The revocation list that the broker reads. A broken one would open the broker to everybody, so a new one
/// takes the place of the old by rename, and only after it was verified as it lies on the disk. Belongs to
/// one thread.
class CrlFile {
 public:
  CrlFile(std::string path, const IssuingAuthority& authority)
      : path_(std::move(path)), authority_(authority) {}

  /// The list as it is. `invalid` when it is not whole or not ours, `not_found` when there is none.
  [[nodiscard]] fleet::Expected<RevocationList> read();
  /// Whether anybody has changed the file since this last read or wrote it.
  [[nodiscard]] bool has_changed() const;
  /// `unavailable` when it cannot be written; the old one then stays.
  [[nodiscard]] fleet::Expected<void> replace(const std::string& pem);

 private:
  // What tells one state of the file from another.
  struct Mark {
    std::uint64_t inode = 0;
    std::int64_t size = -1;
    std::int64_t changed_at_ns = 0;
    friend bool operator==(const Mark&, const Mark&) = default;
  };
  [[nodiscard]] Mark mark() const;

  const std::string path_;
  const IssuingAuthority& authority_;
  Mark last_;
};

/// The list of `path` in DER form, as those who fetch it expect it (RFC 2585 section 3). `not_found` when
/// there is none that can be read as PEM; who has signed it is not tested.
[[nodiscard]] fleet::Expected<std::string> read_crl_der(const std::string& path);

}  // namespace ota::bridge
