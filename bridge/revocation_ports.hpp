#pragma once

#include "bridge/config.hpp"
#include "bridge/revocation_keeper.hpp"

namespace ota::bridge {

/// What the keeper needs of the files and of the broker, by the configuration; store and clock are left to
/// the caller. `authority` must outlive it.
[[nodiscard]] RevocationKeeper::Ports keeper_ports(const Config& config, const IssuingAuthority& authority);

}  // namespace ota::bridge
