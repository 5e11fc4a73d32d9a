#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "fleet/ports/rollout_store.hpp"
#include "sql/session.hpp"

namespace ota::sql {

/// What the attempts of each of `rollouts` have come to, in one statement. Internal to sql/.
[[nodiscard]] std::map<std::int64_t, fleet::RolloutProgress> read_progress(
    Session& session, pqxx::transaction_base& work, const std::vector<std::int64_t>& rollouts);

/// The same of one, with what its devices' offers say. Refusal: `not_found`.
[[nodiscard]] fleet::RolloutStanding read_standing(Session& session, pqxx::transaction_base& work,
                                                   std::int64_t rollout_id);

}  // namespace ota::sql
