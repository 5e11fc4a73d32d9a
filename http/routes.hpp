#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/admin_key.hpp"
#include "http/exchange.hpp"

namespace ota::http {

class Api;

/// Who may call a route: the least role that its X-API-Key must have (fleet/admin_key.hpp). Those of devices
/// and monitors take no such key.
enum class Role { device, monitor, viewer, publisher, operator_, admin };
/// That role; nullopt where no key is asked for.
[[nodiscard]] std::optional<fleet::KeyRole> needed_key(Role role);

/// What a route reads after the head.
enum class BodyKind { none, json, optional_json, long_json, multipart };

/// Requests of one lane share a number of threads, so that no kind of request can starve another.
enum class Lane { device, download, upload, admin, monitor, enrolment };
inline constexpr int kLanes = 6;

/// What becomes of query parameters that a route does not know. Those of the contract must not fail for them:
/// in the answers to some of them it is told. A misspelt one would ask for more than was meant.
enum class Stray { ignored, told, refused };

struct Route {
  std::string_view method;
  std::string_view pattern;  ///< `{name}` stands for one segment that is not empty; at most one per pattern
  Role role;
  BodyKind body;
  Lane lane;
  Stray stray;
  Response (Api::*handle)(Request& request);
  std::string_view query;  ///< the parameters it knows (fleet/known_names.hpp)
};

/// Every route of the service; openapi.yaml documents each.
[[nodiscard]] const std::vector<Route>& routes();

struct RouteMatch {
  const Route* route = nullptr;  ///< null: no such path, or `allow` says which methods it has
  std::string_view captured;
  std::string allow;  ///< "GET, HEAD"; empty where the path is unknown
};

/// The route of `method` and `path` (decoded, no query). HEAD is served wherever GET is. A path that
/// is a pattern itself, like /api/admin/rollout/create, never stands for another pattern's {name}.
[[nodiscard]] RouteMatch find_route(std::string_view method, std::string_view path);

}  // namespace ota::http
