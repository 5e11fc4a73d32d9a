#include "fleet/admin_key.hpp"

#include <algorithm>

#include "fleet/ids.hpp"

namespace ota::fleet {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
// The root key, the service itself, a device that acts for itself, and who writes to the database by hand.
constexpr std::string_view kReservedNames[] = {"admin", "bridge", "device", "psql", "system"};

bool is_reserved(std::string_view name) {
  return std::any_of(std::begin(kReservedNames), std::end(kReservedNames), [&](std::string_view reserved) {
    return std::equal(name.begin(), name.end(), reserved.begin(), reserved.end(), [](char given, char lower) {
      return (given >= 'A' && given <= 'Z' ? given - 'A' + 'a' : given) == lower;
    });
  });
}

struct Row {
  std::string_view name;
  KeyRole role;
  bool allows[4];  ///< in the order of KeyRole
};

// clang-format off
constexpr Row kRoles[] = {
    //                                   viewer publisher operator admin
    {"viewer",    KeyRole::viewer,    {  true,  false,    false,   false}},
    {"publisher", KeyRole::publisher, {  true,  true,     false,   false}},
    {"operator",  KeyRole::operator_, {  true,  false,    true,    false}},
    {"admin",     KeyRole::admin,     {  true,  true,     true,    true }},
};
// clang-format on

}  // namespace

std::optional<KeyRole> parse_key_role(std::string_view text) {
  const auto* found =
      std::find_if(std::begin(kRoles), std::end(kRoles), [&](const Row& row) { return row.name == text; });
  return found == std::end(kRoles) ? std::nullopt : std::optional(found->role);
}

std::string_view to_string(KeyRole role) {
  return kRoles[static_cast<std::size_t>(role)].name;
}

bool allows(KeyRole has, KeyRole needed) {
  return kRoles[static_cast<std::size_t>(has)].allows[static_cast<std::size_t>(needed)];
}

std::string roles_that_allow(KeyRole needed) {
  std::vector<std::string_view> names;
  for (const auto& row : kRoles) {
    if (allows(row.role, needed)) names.push_back(row.name);
  }
  std::string text(names.front());
  for (std::size_t i = 1; i < names.size(); ++i) {
    text.append(i + 1 == names.size() ? " or " : ", ").append(names[i]);
  }
  return text;
}

std::string key_text(const KeyBytes& random) {
  return std::string(kKeyPrefix) + to_hex(random);
}

std::string to_hex(const KeyDigest& digest) {
  std::string text;
  for (const auto byte : digest) {
    text += kHexDigits[byte >> 4U];
    text += kHexDigits[byte & 15U];
  }
  return text;
}

std::optional<KeyDigest> digest_from_hex(std::string_view text) {
  KeyDigest digest{};
  if (text.size() != 2 * digest.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto value = kHexDigits.find(text[i]);
    if (value == std::string_view::npos) return std::nullopt;
    digest[i / 2] = static_cast<std::uint8_t>(digest[i / 2] * 16 + value);
  }
  return digest;
}

bool same_digest(const KeyDigest& one, const KeyDigest& other) {
  unsigned difference = 0;
  for (std::size_t i = 0; i < one.size(); ++i) difference |= static_cast<unsigned>(one[i] ^ other[i]);
  return difference == 0;
}

Expected<std::string> parse_key_name(std::string_view text) {
  if (is_reserved(text)) {
    return fail(ErrorKind::invalid,
                "name " + quoted(text) + " stands for others in the audit log; choose another");
  }
  return parse_id("name", text);
}

const AdminKey* KeyRing::find(const KeyDigest& digest) const {
  const AdminKey* found = nullptr;
  for (const auto& key : keys_) {
    if (same_digest(key.digest, digest)) found = &key;
  }
  return found;
}

}  // namespace ota::fleet
