#include "fleet/device_proof.hpp"

#include <algorithm>
#include <array>

namespace ota::fleet {
namespace {

// What makes a token easy to find where it should not be, in a repository or a log.
constexpr std::string_view kTokenPrefix = "otd_";
constexpr std::array<std::string_view, 3> kAuthNames = {"open", "token", "mtls"};

}  // namespace

std::optional<DeviceAuth> parse_device_auth(std::string_view text) {
  for (std::size_t i = 0; i < kAuthNames.size(); ++i) {
    if (text == kAuthNames[i]) return static_cast<DeviceAuth>(i);
  }
  return std::nullopt;
}

std::string_view to_string(DeviceAuth auth) {
  return kAuthNames[static_cast<std::size_t>(auth)];
}

std::string device_token_text(const KeyBytes& random) {
  return std::string(kTokenPrefix) + to_hex(random);
}

Expected<void> judge_token(std::string_view device_id, const KeyDigest& given, const DeviceTokens& stored) {
  const auto own = stored.find(device_id);
  if (own != stored.end() && same_digest(own->second, given)) return {};
  const bool is_anothers = std::any_of(stored.begin(), stored.end(),
                                       [&](const auto& token) { return same_digest(token.second, given); });
  if (is_anothers) return fail(ErrorKind::forbidden, "the token is another device's");
  return fail(ErrorKind::unauthorized, "the device's token is wrong, or was replaced or taken back");
}

}  // namespace ota::fleet
