#include "bridge/device_proofs.hpp"

#include <utility>

#include "fleet/device_proof.hpp"

namespace ota::bridge {

fleet::Expected<void> turn_away_unproven(std::vector<Errand>& errands, fleet::UpdateStore& store) {
  std::vector<fleet::DeviceToken> shown;
  for (const auto& errand : errands) {
    if (errand.message.token) shown.push_back({errand.message.device_id, *errand.message.token});
  }
  if (shown.empty()) return {};
  const auto stored = store.find_tokens(shown);
  if (!stored) return tl::unexpected(stored.error());

  std::vector<Errand> proven;
  proven.reserve(errands.size());
  for (auto& errand : errands) {
    const auto& message = errand.message;
    const auto judged = message.token ? fleet::judge_token(message.device_id, *message.token, *stored)
                                      : fleet::Expected<void>{};
    if (judged) {
      proven.push_back(std::move(errand));
    } else {
      errand.reply(tl::unexpected(judged.error()));
    }
  }
  errands = std::move(proven);
  return {};
}

}  // namespace ota::bridge
