#include "bridge/device_proofs.hpp"

#include <set>
#include <utility>

#include "fleet/device_proof.hpp"

namespace ota::bridge {
namespace {

/// What the database knows of the proofs that came with a batch.
struct Known {
  fleet::DeviceTokens tokens;
  std::set<std::string> revoked_serials;
};

fleet::Expected<Known> look_up(const std::vector<Errand>& errands, fleet::UpdateStore& store) {
  std::vector<fleet::DeviceToken> tokens;
  std::vector<std::string> serials;
  for (const auto& errand : errands) {
    if (errand.message.token) tokens.push_back({errand.message.device_id, *errand.message.token});
    if (!errand.message.serial.empty()) serials.push_back(errand.message.serial);
  }
  Known known;
  if (!tokens.empty()) {
    auto stored = store.find_tokens(tokens);
    if (!stored) return tl::unexpected(stored.error());
    known.tokens = std::move(*stored);
  }
  if (!serials.empty()) {
    auto revoked = store.find_revoked(serials);
    if (!revoked) return tl::unexpected(revoked.error());
    known.revoked_serials = std::move(*revoked);
  }
  return known;
}

fleet::Expected<void> judge(const fleet::Message& message, const Known& known) {
  if (known.revoked_serials.count(message.serial) > 0) {
    return fleet::fail(fleet::ErrorKind::forbidden, "the certificate of this connection was revoked");
  }
  if (!message.token) return {};
  return fleet::judge_token(message.device_id, *message.token, known.tokens);
}

}  // namespace

fleet::Expected<void> turn_away_unproven(std::vector<Errand>& errands, fleet::UpdateStore& store) {
  const auto known = look_up(errands, store);
  if (!known) return tl::unexpected(known.error());
  std::vector<Errand> proven;
  proven.reserve(errands.size());
  for (auto& errand : errands) {
    if (const auto judged = judge(errand.message, *known); judged) {
      proven.push_back(std::move(errand));
    } else {
      errand.reply(tl::unexpected(judged.error()));
    }
  }
  errands = std::move(proven);
  return {};
}

}  // namespace ota::bridge
