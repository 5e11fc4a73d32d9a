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
#include "fleet/slots.hpp"

namespace ota::fleet {

/// What the flows of one batch share. `next_attempt_id` and `slots` reach the batch's transaction.
struct FlowContext {
  std::shared_ptr<const Catalog> catalog;
  Circumstances circumstances;
  std::function<Expected<std::int64_t>()> next_attempt_id;
  SlotBudget* slots = nullptr;

  [[nodiscard]] Time now() const { return circumstances.now; }
};

/// A device in a batch together with what the batch has changed of it so far.
struct DeviceWork {
  Device device;
  std::vector<Event> events;
  std::vector<Attempt> attempts;  ///< changed ones; the last of an id counts
  bool offer_changed = false;
  bool version_changed = false;
  bool boot_changed = false;

  /// Notes a changed attempt: in `attempts`, replacing an earlier change of the same one, and in `device` for
  /// the batch's further messages.
  void keep(const Attempt& attempt);
};

/// Adds what `work` has changed to a transaction's changes.
void add_changes(const DeviceWork& work, Time now, BatchChanges& changes);

/// A check: the hello completes or rolls back the attempt, then the decision makes, keeps or closes the
/// offer.
[[nodiscard]] Expected<Answer> on_check(DeviceWork& work, const Check& check, const FlowContext& context);

/// Which attempt a report belongs to; nullopt opens a new one.
struct ReportTarget {
  std::optional<Attempt> attempt;
  /// It names an attempt of which nothing was heard before a newer offer replaced it.
  bool unheard = false;
};

/// A report for `target`: moves the attempt forward, takes the offer, closes it at the end.
[[nodiscard]] Expected<Answer> on_report(DeviceWork& work, const Report& report, const ReportTarget& target,
                                         const FlowContext& context);

/// The attempt's time is up: fails it when it still is (a report may have come meanwhile).
[[nodiscard]] Expected<Answer> on_expire(DeviceWork& work, const ReportTarget& target,
                                         const FlowContext& context);

/// Decides anew without a word of the device, because something around it has changed: makes, keeps or closes
/// the offer of a device seen on MQTT. Answers what was decided. Attempts under way are left alone, unless
/// their release was withdrawn and they have not begun to install.
[[nodiscard]] Expected<Decision> settle_offer(DeviceWork& work, const FlowContext& context);
/// The same as the answer to a Settle message.
[[nodiscard]] Expected<Answer> on_settle(DeviceWork& work, const FlowContext& context);

/// The answer that tells `work`'s open offer to its device; nullopt when none is open or its release is gone.
[[nodiscard]] std::optional<OfferAnswer> offer_answer(const Device& device,
                                                      const std::shared_ptr<const Catalog>& catalog,
                                                      Time now);

}  // namespace ota::fleet
