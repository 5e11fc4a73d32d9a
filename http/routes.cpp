#include "http/routes.hpp"

#include <algorithm>

#include "http/api.hpp"

namespace ota::http {
namespace {

// The part of `path` that stands for the pattern's {name}; false when the path is not of the pattern.
bool matches(std::string_view pattern, std::string_view path, std::string_view& captured) {
  const auto open = pattern.find('{');
  if (open == std::string_view::npos) return pattern == path;
  const auto head = pattern.substr(0, open);
  const auto tail = pattern.substr(pattern.find('}') + 1);
  if (path.size() <= head.size() + tail.size() || path.substr(0, head.size()) != head ||
      path.substr(path.size() - tail.size()) != tail) {
    return false;
  }
  captured = path.substr(head.size(), path.size() - head.size() - tail.size());
  return captured.find('/') == std::string_view::npos;
}

}  // namespace

std::optional<fleet::KeyRole> needed_key(Role role) {
  switch (role) {
    case Role::device:
    case Role::monitor:
      break;
    case Role::viewer:
      return fleet::KeyRole::viewer;
    case Role::publisher:
      return fleet::KeyRole::publisher;
    case Role::operator_:
      return fleet::KeyRole::operator_;
    case Role::admin:
      return fleet::KeyRole::admin;
  }
  return std::nullopt;
}

const std::vector<Route>& routes() {
  // clang-format off
  static const std::vector<Route> kRoutes = {
      {"GET",    "/api/firmware/check",                          Role::device,    BodyKind::none,          Lane::device,    Stray::ignored, &Api::check, "device_id device_model current_version mac boot_id manifest"},
      {"POST",   "/api/device/{device_id}/update-status",        Role::device,    BodyKind::json,          Lane::device,    Stray::ignored, &Api::report, ""},
      {"GET",    "/api/firmware/download/{version}",             Role::device,    BodyKind::none,          Lane::download,  Stray::ignored, &Api::download, "device_model device expires ticket"},
      {"GET",    "/api/firmware/manifest/{version}",             Role::device,    BodyKind::none,          Lane::device,    Stray::ignored, &Api::manifest, "device_model"},
      {"POST",   "/api/device/enroll",                           Role::device,    BodyKind::json,          Lane::enrolment, Stray::ignored, &Api::enrol, ""},
      {"POST",   "/api/device/renew",                            Role::device,    BodyKind::json,          Lane::enrolment, Stray::ignored, &Api::renew, ""},
      {"POST",   "/api/admin/firmware/upload",                   Role::publisher, BodyKind::multipart,     Lane::upload,    Stray::told,    &Api::upload, "version device_model min_version changelog release_notes is_signed force"},
      {"GET",    "/api/admin/firmware/releases",                 Role::viewer,    BodyKind::none,          Lane::admin,     Stray::ignored, &Api::list_releases, "device_model limit cursor"},
      {"POST",   "/api/admin/firmware/{version}/manifest",       Role::publisher, BodyKind::json,          Lane::admin,     Stray::refused, &Api::add_manifest, "device_model"},
      {"POST",   "/api/admin/firmware/{version}/withdraw",       Role::operator_, BodyKind::optional_json, Lane::admin,     Stray::refused, &Api::withdraw_release, "device_model"},
      {"DELETE", "/api/admin/firmware/{version}",                Role::admin,     BodyKind::none,          Lane::admin,     Stray::refused, &Api::delete_release, "device_model"},
      {"GET",    "/api/admin/rollouts",                          Role::viewer,    BodyKind::none,          Lane::admin,     Stray::refused, &Api::list_rollouts, "state device_model limit cursor"},
      {"POST",   "/api/admin/rollout/create",                    Role::operator_, BodyKind::json,          Lane::admin,     Stray::told,    &Api::create_rollout, ""},
      {"POST",   "/api/admin/rollout/simulate",                  Role::operator_, BodyKind::json,          Lane::admin,     Stray::refused, &Api::simulate_rollout, ""},
      {"GET",    "/api/admin/rollout/{rollout_id}",              Role::viewer,    BodyKind::none,          Lane::admin,     Stray::refused, &Api::show_rollout, ""},
      {"PATCH",  "/api/admin/rollout/{rollout_id}",              Role::operator_, BodyKind::json,          Lane::admin,     Stray::told,    &Api::patch_rollout, ""},
      {"POST",   "/api/admin/rollout/{rollout_id}/pause",        Role::operator_, BodyKind::optional_json, Lane::admin,     Stray::refused, &Api::pause_rollout, ""},
      {"POST",   "/api/admin/rollout/{rollout_id}/resume",       Role::operator_, BodyKind::optional_json, Lane::admin,     Stray::refused, &Api::resume_rollout, ""},
      {"POST",   "/api/admin/rollout/{rollout_id}/abort",        Role::operator_, BodyKind::optional_json, Lane::admin,     Stray::refused, &Api::abort_rollout, ""},
      {"POST",   "/api/admin/rollout/{rollout_id}/rollback",     Role::operator_, BodyKind::optional_json, Lane::admin,     Stray::refused, &Api::roll_back_rollout, ""},
      {"POST",   "/api/admin/rollout/{rollout_id}/retry",        Role::operator_, BodyKind::optional_json, Lane::admin,     Stray::refused, &Api::retry_rollout, ""},
      {"POST",   "/api/admin/rollout/{rollout_id}/deactivate",   Role::operator_, BodyKind::optional_json, Lane::admin,     Stray::ignored, &Api::deactivate_rollout, ""},
      {"GET",    "/api/admin/devices",                           Role::viewer,    BodyKind::none,          Lane::admin,     Stray::ignored, &Api::list_devices, "device_model limit cursor"},
      {"GET",    "/api/admin/devices/{device_id}",               Role::viewer,    BodyKind::none,          Lane::admin,     Stray::refused, &Api::show_device, ""},
      {"PATCH",  "/api/admin/devices/{device_id}",               Role::operator_, BodyKind::json,          Lane::admin,     Stray::refused, &Api::patch_device, ""},
      {"DELETE", "/api/admin/devices/{device_id}",               Role::operator_, BodyKind::none,          Lane::admin,     Stray::refused, &Api::delete_device, ""},
      {"GET",    "/api/admin/devices/{device_id}/explain",       Role::viewer,    BodyKind::none,          Lane::admin,     Stray::refused, &Api::explain_device, ""},
      {"POST",   "/api/admin/devices/{device_id}/offer",         Role::operator_, BodyKind::optional_json, Lane::admin,     Stray::refused, &Api::offer_to_device, ""},
      {"GET",    "/api/admin/devices/{device_id}/certificates",  Role::viewer,    BodyKind::none,          Lane::admin,     Stray::refused, &Api::list_certificates, ""},
      {"POST",   "/api/admin/certificates",                      Role::admin,     BodyKind::long_json,     Lane::admin,     Stray::refused, &Api::adopt_certificates, ""},
      {"POST",   "/api/admin/devices/{device_id}/certificate",   Role::admin,     BodyKind::json,          Lane::admin,     Stray::refused, &Api::issue_certificate, ""},
      {"POST",   "/api/admin/devices/{device_id}/replace",       Role::admin,     BodyKind::json,          Lane::admin,     Stray::refused, &Api::replace_device, ""},
      {"POST",   "/api/admin/devices/{device_id}/revoke",        Role::operator_, BodyKind::optional_json, Lane::admin,     Stray::refused, &Api::revoke_device, ""},
      {"POST",   "/api/admin/devices/{device_id}/reinstate",     Role::admin,     BodyKind::optional_json, Lane::admin,     Stray::refused, &Api::reinstate_device, ""},
      {"GET",    "/api/admin/enrolment-tokens",                  Role::viewer,    BodyKind::none,          Lane::admin,     Stray::refused, &Api::list_enrolment_tokens, "limit"},
      {"POST",   "/api/admin/enrolment-tokens",                  Role::admin,     BodyKind::optional_json, Lane::admin,     Stray::refused, &Api::create_enrolment_token, ""},
      {"DELETE", "/api/admin/enrolment-tokens/{token_id}",       Role::admin,     BodyKind::none,          Lane::admin,     Stray::refused, &Api::revoke_enrolment_token, ""},
      {"POST",   "/api/admin/devices/{device_id}/token",         Role::admin,     BodyKind::optional_json, Lane::admin,     Stray::refused, &Api::issue_token, ""},
      {"DELETE", "/api/admin/devices/{device_id}/token",         Role::operator_, BodyKind::none,          Lane::admin,     Stray::refused, &Api::revoke_token, ""},
      {"POST",   "/api/admin/groups/{group}/devices",            Role::operator_, BodyKind::long_json,     Lane::admin,     Stray::refused, &Api::change_group, ""},
      {"POST",   "/api/admin/freeze",                            Role::admin,     BodyKind::optional_json, Lane::admin,     Stray::refused, &Api::freeze, ""},
      {"POST",   "/api/admin/unfreeze",                          Role::admin,     BodyKind::optional_json, Lane::admin,     Stray::refused, &Api::unfreeze, ""},
      {"GET",    "/api/admin/keys",                              Role::admin,     BodyKind::none,          Lane::admin,     Stray::refused, &Api::list_keys, "limit"},
      {"POST",   "/api/admin/keys",                              Role::admin,     BodyKind::json,          Lane::admin,     Stray::refused, &Api::create_key, ""},
      {"DELETE", "/api/admin/keys/{name}",                       Role::admin,     BodyKind::none,          Lane::admin,     Stray::refused, &Api::revoke_key, ""},
      {"GET",    "/api/admin/events",                            Role::viewer,    BodyKind::none,          Lane::admin,     Stray::refused, &Api::list_events, "type device_id firmware_version rollout_id limit cursor"},
      {"GET",    "/api/admin/update-status",                     Role::viewer,    BodyKind::none,          Lane::admin,     Stray::ignored, &Api::list_updates, "device_id firmware_version limit cursor"},
      {"GET",    "/api/pki/crl",                                 Role::monitor,   BodyKind::none,          Lane::download,  Stray::ignored, &Api::revocation_list, ""},
      {"GET",    "/health",                                      Role::monitor,   BodyKind::none,          Lane::monitor,   Stray::ignored, &Api::health, ""},
      {"GET",    "/metrics",                                     Role::monitor,   BodyKind::none,          Lane::monitor,   Stray::ignored, &Api::metrics, "format"},
  };
  // clang-format on
  return kRoutes;
}

RouteMatch find_route(std::string_view method, std::string_view path) {
  const auto& all = routes();
  // A path that stands in the table as it is belongs to that route alone: "create" is no rollout's id.
  const bool is_literal =
      path.find('{') == std::string_view::npos &&
      std::any_of(all.begin(), all.end(), [&](const Route& route) { return route.pattern == path; });
  RouteMatch match;
  for (const auto& route : all) {
    std::string_view captured;
    if (is_literal ? route.pattern != path : !matches(route.pattern, path, captured)) continue;
    if (route.method == method || (route.method == "GET" && method == "HEAD")) {
      match.route = &route;
      match.captured = captured;
      return match;
    }
    if (match.allow.find(route.method) != std::string::npos) continue;
    if (!match.allow.empty()) match.allow += ", ";
    match.allow += route.method;
    if (route.method == "GET") match.allow += ", HEAD";
  }
  return match;
}

}  // namespace ota::http
