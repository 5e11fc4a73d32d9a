#include "bridge/held_messages.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace ota::bridge {
namespace {

constexpr std::chrono::seconds kPausePerDevice{1};
constexpr std::chrono::seconds kPauseMax{5};
constexpr std::chrono::minutes kToldAgainAfter{1};

}  // namespace

void HeldMessages::bar(const std::vector<Errand>& errands, Clock::time_point now) {
  if (errands.empty()) return;
  for (const auto& errand : errands) devices_.insert(errand.message.device_id);
  if (told_at_ == Clock::time_point{} || now - told_at_ >= kToldAgainAfter) {
    told_at_ = now;
    spdlog::warn(
        "messages wait, of {} and {} more: somebody keeps their rows or table locked (pg_locks tells who)",
        *devices_.begin(), devices_.size() - 1);
  }
  // Each costs the writer two brief waits at most when it is tried again: a tenth of its time.
  due_at_ = now + std::min<Clock::duration>(kPausePerDevice * static_cast<int>(devices_.size()), kPauseMax);
}

std::vector<Errand> HeldMessages::divert(std::vector<Errand>& batch) const {
  const auto waits = std::stable_partition(batch.begin(), batch.end(), [this](const Errand& errand) {
    return devices_.count(errand.message.device_id) == 0;
  });
  std::vector<Errand> diverted(std::make_move_iterator(waits), std::make_move_iterator(batch.end()));
  batch.erase(waits, batch.end());
  return diverted;
}

void HeldMessages::add(std::vector<Errand> errands) {
  std::move(errands.begin(), errands.end(), std::back_inserter(errands_));
}

std::vector<Errand> HeldMessages::take() {
  devices_.clear();
  return std::exchange(errands_, {});
}

}  // namespace ota::bridge
