#pragma once

#include <optional>
#include <string_view>

#include "fleet/catalog.hpp"
#include "fleet/device_proof.hpp"
#include "fleet/expected.hpp"
#include "http/exchange.hpp"

namespace ota::http {

/// The token in `Authorization: Bearer …` or, for simple clients, X-Device-Token, which goes first; nullopt
/// without one.
[[nodiscard]] std::optional<std::string_view> device_token(const Request& request);

/// What still has to be shown for `request` to act for `device_id`: the digest of the token it came with, or
/// nothing (nullopt) where nobody asks or a client certificate has shown it. `unauthorized` without any
/// proof, `forbidden` with another device's certificate.
[[nodiscard]] fleet::Expected<std::optional<fleet::KeyDigest>> proof_to_test(const Request& request,
                                                                             std::string_view device_id,
                                                                             fleet::DeviceAuth auth,
                                                                             fleet::Sha256 sha256);

/// The serial of the client certificate, where that is what shows who the device is; else empty.
[[nodiscard]] std::string proving_serial(const Request& request, std::string_view device_id,
                                         fleet::DeviceAuth auth);

}  // namespace ota::http
