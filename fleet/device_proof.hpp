#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "fleet/admin_key.hpp"
#include "fleet/expected.hpp"

namespace ota::fleet {

/// How a device that comes over REST shows who it is. Over MQTT the broker has tested its certificate.
enum class DeviceAuth {
  open,   ///< not at all: anybody can act for any device
  token,  ///< by a token of its own, or a client certificate with its id as CN
  mtls,   ///< by such a certificate alone
};
[[nodiscard]] std::optional<DeviceAuth> parse_device_auth(std::string_view text);
[[nodiscard]] std::string_view to_string(DeviceAuth auth);

/// The text of a new token, from as many bits of chance as nobody can guess.
[[nodiscard]] std::string device_token_text(const KeyBytes& random);

/// A token as it is stored and compared: SHA-256 of its text.
struct DeviceToken {
  std::string device_id;
  KeyDigest digest{};
};
/// Digests by device id.
using DeviceTokens = std::map<std::string, KeyDigest, std::less<>>;

/// Whether the token with the digest `given` is the one of `device_id`. `stored` holds that device's token
/// and the one with that digest, as far as there are such, and maybe more. `unauthorized` when it is
/// nobody's, `forbidden` when it is another device's; the time this takes tells nothing about a stored
/// digest.
[[nodiscard]] Expected<void> judge_token(std::string_view device_id, const KeyDigest& given,
                                         const DeviceTokens& stored);

}  // namespace ota::fleet
