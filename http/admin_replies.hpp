#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/ports/device_store.hpp"
#include "fleet/ports/key_store.hpp"
#include "fleet/ports/monitor_store.hpp"
#include "fleet/ports/rollout_store.hpp"
#include "fleet/survey.hpp"
#include "http/blocks.hpp"

namespace ota::http {

/// What the admin routes beyond the contract's answer, as JSON texts. Lists of pages carry `next_cursor`: the
/// position to go on from, null on the last page.
[[nodiscard]] std::string rollout_created_json(std::int64_t id, const std::vector<std::string>& warnings);
[[nodiscard]] std::string rollouts_json(const std::vector<fleet::RolloutRow>& rows, bool is_last);
/// `verdict`: what the engine says of it now.
[[nodiscard]] std::string rollout_json(const fleet::RolloutRow& row, const fleet::RolloutStanding& standing,
                                       std::string_view verdict);
[[nodiscard]] std::string ordered_json(std::string_view message, const fleet::OrderOutcome& outcome);
[[nodiscard]] std::string retried_json(fleet::RolloutState state, std::size_t devices);
[[nodiscard]] std::string survey_json(const fleet::Survey& survey, const std::vector<std::string>& warnings);
[[nodiscard]] std::string device_json(const fleet::DeviceDetails& details);

/// A device's decision with all that led to it.
struct Explanation {
  const fleet::Decision* decision = nullptr;
  const std::vector<fleet::Considered>* considered = nullptr;
  std::vector<int> buckets;  ///< one per considered rollout
  std::vector<Block> blocks;
};
[[nodiscard]] std::string explanation_json(const fleet::DeviceDetails& details,
                                           const Explanation& explanation);

/// What came of a rollout for one device.
struct OfferOutcome {
  std::int64_t rollout_id = 0;
  bool offered = false;  ///< whether its offer stands
  std::string text;      ///< what stands, or why none does
};
[[nodiscard]] std::string offered_json(const OfferOutcome& outcome);
[[nodiscard]] std::string group_json(const fleet::GroupOutcome& outcome);
[[nodiscard]] std::string keys_json(const std::vector<fleet::KeyRow>& rows);
/// `key`: its text, which is told this once.
[[nodiscard]] std::string key_created_json(const fleet::NewKey& created, const std::string& key);
[[nodiscard]] std::string events_json(const std::vector<fleet::EventRow>& rows, bool is_last);

}  // namespace ota::http
