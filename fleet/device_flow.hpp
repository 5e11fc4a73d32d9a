#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "fleet/catalog.hpp"
#include "fleet/decide.hpp"
#include "fleet/device.hpp"
#include "fleet/messages.hpp"
#include "fleet/ports/update_store.hpp"

namespace ota::fleet {

/// What the flows of one batch share. `next_attempt_id` and the finders reach the batch's transaction.
struct FlowContext {
  std::shared_ptr<const Catalog> catalog;
  Sha256 sha256 = nullptr;
  Time now{};
  std::function<Expected<std::int64_t>()> next_attempt_id;
};

/// A device in a batch together with what the batch has changed of it so far.
struct DeviceWork {
  Device device;
  std::vector<Event> events;
  std::vector<Attempt> attempts;  ///< changed ones; the last of an id counts
  bool offer_changed = false;
  bool version_changed = false;

  /// Writes `attempt` into `attempts`, replacing an earlier change of the same one.
  void keep(const Attempt& attempt);
};

/// A check: the hello completes or rolls back the attempt, then the decision makes, keeps or closes the
/// offer.
[[nodiscard]] Expected<Answer> on_check(DeviceWork& work, const Check& check, const FlowContext& context);

/// Which attempt a report belongs to; nullopt opens a new one.
struct ReportTarget {
  std::optional<Attempt> attempt;
};

/// A report for `target`: moves the attempt forward, takes the offer, closes it at the end.
[[nodiscard]] Expected<Answer> on_report(DeviceWork& work, const Report& report, const ReportTarget& target,
                                         const FlowContext& context);

/// Brings the offer in line with `decision` without a message of the device (a push). Attempts under way are
/// left alone.
[[nodiscard]] Expected<void> settle_offer(DeviceWork& work, const Decision& decision,
                                          const FlowContext& context);

/// The answer that tells `work`'s open offer to its device; nullopt when none is open or its release is gone.
[[nodiscard]] std::optional<OfferAnswer> offer_answer(const Device& device,
                                                      const std::shared_ptr<const Catalog>& catalog);

}  // namespace ota::fleet
