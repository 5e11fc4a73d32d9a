#pragma once

#include <string>

namespace ota::bridge {

/// Tells systemd how the service is (sd_notify(3): one datagram to the socket that NOTIFY_SOCKET names);
/// without that variable nothing happens. `state` is one or more lines such as "READY=1". Thread safe.
void tell_service_manager(const std::string& state);

}  // namespace ota::bridge
