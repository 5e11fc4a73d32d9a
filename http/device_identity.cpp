#include "http/device_identity.hpp"

#include <algorithm>
#include <string>

#include "fleet/certificates.hpp"
#include "http/letters.hpp"

namespace ota::http {
namespace {

using fleet::ErrorKind;

constexpr std::string_view kBearer = "bearer ";  // RFC 6750 section 2.1

fleet::Error missing_proof(const Request& request, fleet::DeviceAuth auth) {
  for (const char* name : {"X-Device-Token", "Authorization"}) {
    const auto count = auth == fleet::DeviceAuth::token ? request.header_count(name) : 0;
    if (count < 2) continue;
    return {ErrorKind::unauthorized, "the request has " + std::to_string(count) + " headers " + name +
                                         "; send the device's token in one"};
  }
  return {ErrorKind::unauthorized, auth == fleet::DeviceAuth::mtls
                                       ? "connect with the device's client certificate"
                                       : "send the device's token: Authorization: Bearer TOKEN"};
}

}  // namespace

std::optional<std::string_view> device_token(const Request& request) {
  if (const auto token = request.header("X-Device-Token"); token && !token->empty()) return token;
  const auto authorization = request.header("Authorization");
  if (!authorization || !begins_with(*authorization, kBearer)) return std::nullopt;
  auto token = authorization->substr(authorization->find(' '));
  token.remove_prefix(std::min(token.find_first_not_of(' '), token.size()));
  return token.empty() ? std::nullopt : std::optional(token);
}

fleet::Expected<std::optional<fleet::KeyDigest>> proof_to_test(const Request& request,
                                                               std::string_view device_id,
                                                               fleet::DeviceAuth auth, fleet::Sha256 sha256) {
  if (auth == fleet::DeviceAuth::open) return std::nullopt;
  if (!request.client_name.empty() && request.client_name == device_id) return std::nullopt;
  if (auth == fleet::DeviceAuth::token) {
    if (const auto token = device_token(request)) return sha256(*token);
  }
  if (request.client_name.empty()) return tl::unexpected(missing_proof(request, auth));
  return fleet::fail(ErrorKind::forbidden, "the client certificate is another device's");
}

std::string proving_serial(const Request& request, std::string_view device_id, fleet::DeviceAuth auth) {
  if (auth == fleet::DeviceAuth::open || request.client_name.empty() || request.client_name != device_id)
    return {};
  return fleet::parse_serial("the certificate's serial", request.client_serial).value_or("");
}

}  // namespace ota::http
