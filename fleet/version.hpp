#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ota::fleet {

/// A semantic version (SemVer 2.0.0 precedence, section 11) with the tolerances of contract section 2: a
/// leading 'v', missing minor or patch, and git describe's X.Y.Z-N-g<hex> as N commits after X.Y.Z. Numbers
/// are kept as digits, so no length of number wraps.
class SemVer {
 public:
  /// nullopt when the text is not semantic; such versions are ordered by their release's upload time instead.
  [[nodiscard]] static std::optional<SemVer> parse(std::string_view text);

  [[nodiscard]] bool is_prerelease() const { return !prerelease_.empty(); }

  /// Precedence; build metadata does not count.
  [[nodiscard]] std::strong_ordering operator<=>(const SemVer& other) const;
  [[nodiscard]] bool operator==(const SemVer& other) const { return (*this <=> other) == 0; }

 private:
  std::string core_[3];
  std::vector<std::string> prerelease_;
  std::string commits_after_ = "0";
};

/// How `left` stands to `right`, by text and precedence alone. `unknown`: different, and not both semantic.
enum class Order { older, same, newer, unknown };
[[nodiscard]] Order compare_versions(std::string_view left, std::string_view right);

}  // namespace ota::fleet
