#pragma once

#include <vector>

#include "bridge/batch.hpp"
#include "fleet/ports/update_store.hpp"

namespace ota::bridge {

/// Answers the errands that came with a token which is not their device's, or with a revoked certificate, and
/// takes them out, before anything of them reaches the database. One query for all tokens and one for all
/// certificates; none where no message carries any.
/// On an error every errand is still there.
[[nodiscard]] fleet::Expected<void> turn_away_unproven(std::vector<Errand>& errands,
                                                       fleet::UpdateStore& store);

}  // namespace ota::bridge
