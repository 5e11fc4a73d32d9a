#include "fleet/admin_key.hpp"

#include <algorithm>
#include <vector>

namespace ota::fleet {
namespace {

struct Row {
  KeyRole role;
  std::string_view name;
  bool allows[4];  ///< in the order of KeyRole
};

// clang-format off
constexpr Row kRoles[] = {
    //                                   viewer publisher operator admin
    {KeyRole::viewer,    "viewer",    {  true,  false,    false,   false}},
    {KeyRole::publisher, "publisher", {  true,  true,     false,   false}},
    {KeyRole::operator_, "operator",  {  true,  false,    true,    false}},
    {KeyRole::admin,     "admin",     {  true,  true,     true,    true }},
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

bool same_digest(const KeyDigest& one, const KeyDigest& other) {
  unsigned difference = 0;
  for (std::size_t i = 0; i < one.size(); ++i) difference |= static_cast<unsigned>(one[i] ^ other[i]);
  return difference == 0;
}

}  // namespace ota::fleet
