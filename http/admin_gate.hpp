#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "fleet/admin_key.hpp"
#include "fleet/ip_address.hpp"
#include "http/exchange.hpp"
#include "http/server.hpp"
#include "http/wrong_keys.hpp"

namespace ota::http {

/// Whose actions the audit log ascribes to the root key, API_KEY.
inline constexpr const char* kRootActor = "admin";

/// Tests the X-API-Key of requests to admin routes. Thread safe; no key is ever logged or told.
class AdminGate {
 public:
  AdminGate(const ServerOptions& options, const Ports& ports);

  /// The name of the key that asks, when its role allows what is there for `needed`; else the answer:
  /// 503 when the server knows no key at all, 401 for a wrong or missing one, 403 for one of another role,
  /// 429 while keys from `client` are passed over (http/wrong_keys.hpp).
  [[nodiscard]] tl::expected<std::string, Response> admit(const Request& request,
                                                          const fleet::IpAddress& client,
                                                          fleet::KeyRole needed);

 private:
  [[nodiscard]] tl::expected<std::string, Response> judge(std::string_view text, const fleet::KeyRing* ring,
                                                          fleet::KeyRole needed);
  void note_wrong(const fleet::IpAddress& client);

  const Ports& ports_;
  const bool has_root_;
  const fleet::KeyDigest root_digest_;
  WrongKeys wrong_keys_;
};

}  // namespace ota::http
