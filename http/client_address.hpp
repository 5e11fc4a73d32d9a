#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fleet/ip_address.hpp"

namespace ota::http {

/// The values of all X-Forwarded-For lines of a request's head, in their order, as one list. The library's
/// map of headers forgets that order.
[[nodiscard]] std::string forwarded_for(std::string_view head);

/// Who sends a request: the peer itself; where it is a trusted proxy, the last hop of `forwarded` that is
/// none. What stands before that hop anybody may have written. A hop that cannot be read ends the search at
/// the proxy that named it.
[[nodiscard]] fleet::IpAddress client_of(std::string_view peer, std::string_view forwarded,
                                         const std::vector<fleet::IpNetwork>& trusted);

/// Whether the peer is one of the proxies whose headers are believed.
[[nodiscard]] bool is_trusted_proxy(std::string_view peer, const std::vector<fleet::IpNetwork>& trusted);

}  // namespace ota::http
