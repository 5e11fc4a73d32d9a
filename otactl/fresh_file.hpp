#pragma once

#include <optional>
#include <string>

#include "fleet/expected.hpp"

namespace ota::otactl {

/// A file that appears whole or not at all: it is written beside its place, under a name of its own, and
/// moved there by place(). Until then what was there stays; what was not placed is deleted again. Links are
/// neither followed nor replaced, so nobody who may write to the folder can send a secret elsewhere.
class FreshFile {
 public:
  /// Made before something is asked for that would be lost if it could not be kept. `mode` is less the umask.
  /// `unavailable` with the reason; `invalid` when a folder, a link or a device stands in the place.
  [[nodiscard]] static fleet::Expected<FreshFile> make(const std::string& path, unsigned mode);

  ~FreshFile();
  FreshFile(FreshFile&& other) noexcept;
  FreshFile(const FreshFile&) = delete;
  FreshFile& operator=(const FreshFile&) = delete;
  FreshFile& operator=(FreshFile&&) = delete;

  /// All of `text`, once, down to the disk; then only place() is left to do. `unavailable` with the reason.
  [[nodiscard]] fleet::Expected<void> write(const std::string& text);
  [[nodiscard]] fleet::Expected<void> place();

 private:
  FreshFile(std::string path, std::string beside, int file);
  std::string path_;
  std::string beside_;  ///< empty: placed
  int file_ = -1;       ///< -1: closed
};

/// All three steps. Ends the command with the reason when it cannot be.
void write_file(const std::string& path, const std::string& text, unsigned mode);

}  // namespace ota::otactl
