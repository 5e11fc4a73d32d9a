#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fleet/expected.hpp"
#include "fleet/limits.hpp"
#include "fleet/time.hpp"

namespace ota::fleet {

/// What a key of the admin routes is for. viewer reads; publisher also uploads releases and manifests;
/// operator also leads rollouts, devices and groups; admin may do everything.
enum class KeyRole { viewer, publisher, operator_, admin };

[[nodiscard]] std::optional<KeyRole> parse_key_role(std::string_view text);
[[nodiscard]] std::string_view to_string(KeyRole role);
/// Whether a key of role `has` may do what is there for `needed`. publisher and operator do not include each
/// other: who brings an image in need not be who decides which devices get it.
[[nodiscard]] bool allows(KeyRole has, KeyRole needed);
/// The roles whose keys may do what is there for `needed`, as a list for people: "publisher or admin".
[[nodiscard]] std::string roles_that_allow(KeyRole needed);

/// What makes a key of ours easy to find where it should not be, in a repository or a log.
inline constexpr std::string_view kKeyPrefix = "ota_";

using KeyBytes = std::array<std::uint8_t, 32>;
using KeyDigest = std::array<std::uint8_t, 32>;  ///< SHA-256 of a key's text

/// A new key's text, from as many bits of chance as nobody can guess.
[[nodiscard]] std::string key_text(const KeyBytes& random);
/// Lower-case hexadecimal, and back; nullopt for anything but 64 such digits.
[[nodiscard]] std::string to_hex(const KeyDigest& digest);
[[nodiscard]] std::optional<KeyDigest> digest_from_hex(std::string_view text);
/// The time this takes tells nothing about where the two begin to differ.
[[nodiscard]] bool same_digest(const KeyDigest& one, const KeyDigest& other);

/// A new key's name: parse_id's grammar, and none of the names the audit log uses for others.
[[nodiscard]] Expected<std::string> parse_key_name(std::string_view text);

/// A key that was not revoked.
struct AdminKey {
  std::string name;
  KeyRole role = KeyRole::viewer;
  KeyDigest digest{};
  std::optional<Time> expires_at;
};

/// All keys that are not revoked. Immutable, thread safe.
class KeyRing {
 public:
  explicit KeyRing(std::vector<AdminKey> keys = {}) : keys_(std::move(keys)) {}
  /// The key with that digest, expired or not; nullptr: none. Takes equally long wherever it stands.
  [[nodiscard]] const AdminKey* find(const KeyDigest& digest) const;
  [[nodiscard]] bool empty() const { return keys_.empty(); }

 private:
  std::vector<AdminKey> keys_;
};

}  // namespace ota::fleet
