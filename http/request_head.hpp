#pragma once

#include <optional>

#include "http/connection.hpp"
#include "http/exchange.hpp"

namespace ota::http {

/// Looks at the head that stands whole in `connection`, before the library reads it. Answers a refusal where
/// two readers could take it differently (RFC 9112 sections 3.2, 5.1 and 6.3), where it is beyond a limit,
/// or where nobody knows the method. The absolute form of a target, as a proxy sends it, becomes the usual
/// one (section 3.2.2).
[[nodiscard]] std::optional<Response> prepare_head(Connection& connection);

}  // namespace ota::http
