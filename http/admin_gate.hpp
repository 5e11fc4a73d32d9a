#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <tl/expected.hpp>

#include "fleet/admin_key.hpp"
#include "http/exchange.hpp"
#include "http/server.hpp"

namespace ota::http {

/// Whose actions the audit log ascribes to the root key, API_KEY.
inline constexpr const char* kRootActor = "admin";

/// Tests the X-API-Key of requests to admin routes. Thread safe; no key is ever logged or told.
class AdminGate {
 public:
  AdminGate(const ServerOptions& options, const Ports& ports);

  /// The name of the key that asks, when its role allows what is there for `needed`; else the answer:
  /// 503 when the server knows no key at all, 401 for a wrong or missing one, 403 for one of another role.
  [[nodiscard]] tl::expected<std::string, Response> admit(const Request& request, fleet::KeyRole needed);

 private:
  const Ports& ports_;
  const bool has_root_;
  const std::array<std::uint8_t, 32> root_digest_;
};

}  // namespace ota::http
