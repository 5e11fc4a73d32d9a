#pragma once

#include <functional>
#include <optional>
#include <string>

#include "fleet/messages.hpp"
#include "http/exchange.hpp"
#include "http/release_index.hpp"
#include "http/server.hpp"

namespace ota::http {

/// The handlers of the route table: each reads a request, asks a port and answers. Thread safe. No handler
/// knows the HTTP library.
class Api {
 public:
  Api(const ServerOptions& options, const Ports& ports);

  // Devices (device_routes.cpp, download.cpp).
  Response check(Request& request);
  Response report(Request& request);
  Response download(Request& request);

  // Admins (admin_routes.cpp, rollout_routes.cpp, upload.cpp).
  Response upload(Request& request);
  Response list_releases(Request& request);
  Response create_rollout(Request& request);
  Response patch_rollout(Request& request);
  Response deactivate_rollout(Request& request);
  Response list_devices(Request& request);
  Response list_updates(Request& request);

  // Monitors (monitor_routes.cpp).
  Response health(Request& request);
  Response metrics(Request& request);

  /// nullopt when an admin may pass; 503 without a configured key, 401 for a wrong or missing one.
  [[nodiscard]] std::optional<Response> refuse_key(const Request& request) const;

 private:
  using Encode = std::function<Response(const fleet::Answer& answer)>;
  /// Hands a device's message in; it is answered after its commit.
  Response submit(Request& request, fleet::Message message, Encode encode);

  const ServerOptions options_;
  const Ports ports_;
  ReleaseIndex index_;
};

}  // namespace ota::http
