#include "http/admin_gate.hpp"

#include "http/replies.hpp"

namespace ota::http {

AdminGate::AdminGate(const ServerOptions& options, const Ports& ports)
    : ports_(ports), has_root_(!options.api_key.empty()), root_digest_(ports.sha256(options.api_key)) {}

tl::expected<std::string, Response> AdminGate::admit(
    const Request& request, fleet::KeyRole /*needed: the root key may do everything*/) {
  if (!has_root_) return tl::unexpected(error_reply(503, "API key not configured"));
  const auto given = request.header("X-API-Key");
  if (!given || given->empty()) {
    return tl::unexpected(error_reply(401, "send the admin's key in one X-API-Key header"));
  }
  if (!fleet::same_digest(ports_.sha256(*given), root_digest_)) {
    return tl::unexpected(error_reply(401, "the key in X-API-Key is wrong or was revoked"));
  }
  return kRootActor;
}

}  // namespace ota::http
