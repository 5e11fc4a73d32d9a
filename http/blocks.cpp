#include "http/blocks.hpp"

#include <algorithm>

#include "fleet/messages.hpp"

namespace ota::http {
namespace {

using fleet::Reason;

bool is_standstill(Reason reason) {
  return fleet::is_passing(reason) || reason == Reason::held || reason == Reason::no_way_to_version ||
         reason == Reason::not_signed || reason == Reason::manifest_too_old ||
         reason == Reason::cannot_compare;
}

void add_standing_orders(const fleet::Device& device, const fleet::Catalog& catalog,
                         std::vector<Block>& blocks) {
  if (device.revoked) blocks.push_back({to_string(Reason::revoked), fleet::RevokedAnswer::kReason});
  if (catalog.is_frozen())
    blocks.push_back({to_string(Reason::frozen), "updates are frozen for the whole fleet"});
  if (device.hold) blocks.push_back({to_string(Reason::on_hold), "this device is on hold"});
  if (!device.pinned_version.empty()) {
    blocks.push_back({"pinned", "pinned to " + device.pinned_version + ": no other version reaches it"});
  }
}

void add_new(const fleet::NoUpdate& none, std::vector<Block>& blocks) {
  const auto reason = to_string(none.reason);
  const bool is_told =
      std::any_of(blocks.begin(), blocks.end(), [&](const Block& block) { return block.reason == reason; });
  if (!is_told) blocks.push_back({reason, none.text});
}

bool is_under_way(const fleet::Device& device) {
  return device.offer && device.offer->open && device.offer->taken && device.attempt &&
         !is_final(device.attempt->status);
}

void add_delivery(const fleet::Device& device, const fleet::Rollout& rollout, std::vector<Block>& blocks) {
  const bool has_offer = device.offer && device.offer->open && device.offer->rollout_id == rollout.id;
  if (has_offer) return;
  if (is_under_way(device)) {
    blocks.push_back({"under_way", "its attempt at " + device.offer->version + " is " +
                                       std::string(to_string(device.attempt->status)) +
                                       " and is to end first"});
    return;
  }
  if (!device.on_mqtt) blocks.push_back({"asks_by_rest", "never seen on MQTT: it is told when it asks"});
  if (rollout.policy.rate.is_limited()) {
    blocks.push_back({to_string(Reason::waits_its_turn), "the rate of rollout '" + rollout.name +
                                                             "' may let it wait until others have finished"});
  }
}

}  // namespace

std::vector<Block> blocks_of(const fleet::Device& device, const fleet::Decision& decision,
                             const fleet::Catalog& catalog, const fleet::Circumstances& circumstances) {
  std::vector<Block> blocks;
  add_standing_orders(device, catalog, blocks);
  if (const auto* none = std::get_if<fleet::NoUpdate>(&decision);
      none != nullptr && is_standstill(none->reason)) {
    if (none->rollout != nullptr) {
      for (const auto& block : find_blocks(*none->rollout, device, catalog, circumstances))
        add_new(block, blocks);
    }
    add_new(*none, blocks);
  }
  if (const auto* update = std::get_if<fleet::Update>(&decision)) {
    add_delivery(device, *update->rollout, blocks);
  }
  return blocks;
}

}  // namespace ota::http
