#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

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

using KeyDigest = std::array<std::uint8_t, 32>;  ///< SHA-256 of a key
/// The time this takes tells nothing about where the two begin to differ.
[[nodiscard]] bool same_digest(const KeyDigest& one, const KeyDigest& other);

}  // namespace ota::fleet
