#include "http/routes.hpp"

#include "http/api.hpp"

namespace ota::http {
namespace {

// The part of `path` that stands for the pattern's {name}; false when the path is not of the pattern.
bool matches(std::string_view pattern, std::string_view path, std::string_view& captured) {
  const auto open = pattern.find('{');
  if (open == std::string_view::npos) return pattern == path;
  const auto head = pattern.substr(0, open);
  const auto tail = pattern.substr(pattern.find('}') + 1);
  if (path.size() < head.size() + tail.size() || path.substr(0, head.size()) != head ||
      path.substr(path.size() - tail.size()) != tail) {
    return false;
  }
  captured = path.substr(head.size(), path.size() - head.size() - tail.size());
  return captured.find('/') == std::string_view::npos;
}

}  // namespace

const std::vector<Route>& routes() {
  // clang-format off
  static const std::vector<Route> kRoutes = {
      {"GET",   "/api/firmware/check",                   Role::device,  BodyKind::none,      Lane::device,   &Api::check},
      {"POST",  "/api/device/{device_id}/update-status", Role::device,  BodyKind::json,      Lane::device,   &Api::report},
      {"GET",   "/api/firmware/download/{version}",      Role::device,  BodyKind::none,      Lane::download, &Api::download},
      {"POST",  "/api/admin/firmware/upload",            Role::admin,   BodyKind::multipart, Lane::upload,   &Api::upload},
      {"GET",   "/api/admin/firmware/releases",          Role::admin,   BodyKind::none,      Lane::admin,    &Api::list_releases},
      {"POST",  "/api/admin/rollout/create",             Role::admin,   BodyKind::json,      Lane::admin,    &Api::create_rollout},
      {"PATCH", "/api/admin/rollout/{rollout_id}",       Role::admin,   BodyKind::json,      Lane::admin,    &Api::patch_rollout},
      {"POST",  "/api/admin/rollout/{rollout_id}/deactivate", Role::admin, BodyKind::none,   Lane::admin,    &Api::deactivate_rollout},
      {"GET",   "/api/admin/devices",                    Role::admin,   BodyKind::none,      Lane::admin,    &Api::list_devices},
      {"GET",   "/api/admin/update-status",              Role::admin,   BodyKind::none,      Lane::admin,    &Api::list_updates},
      {"GET",   "/health",                               Role::monitor, BodyKind::none,      Lane::monitor,  &Api::health},
      {"GET",   "/metrics",                              Role::monitor, BodyKind::none,      Lane::monitor,  &Api::metrics},
  };
  // clang-format on
  return kRoutes;
}

RouteMatch find_route(std::string_view method, std::string_view path) {
  RouteMatch match;
  for (const auto& route : routes()) {
    std::string_view captured;
    if (!matches(route.pattern, path, captured)) continue;
    if (route.method == method || (route.method == "GET" && method == "HEAD")) {
      match.route = &route;
      match.captured = captured;
      return match;
    }
    if (!match.allow.empty()) match.allow += ", ";
    match.allow += route.method;
    if (route.method == "GET") match.allow += ", HEAD";
  }
  return match;
}

}  // namespace ota::http
