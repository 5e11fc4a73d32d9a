#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "fleet/catalog.hpp"
#include "fleet/messages.hpp"
#include "fleet/ports/front_desk.hpp"
#include "fleet/ports/update_store.hpp"

namespace ota::bridge {

/// A device's message with whom to tell the outcome.
struct Errand {
  fleet::Message message;
  fleet::Reply reply;
};

/// Of what is postponed or held nothing was recorded. A device's errands stay together and in order.
struct BatchOutcome {
  std::vector<Errand> postponed;  ///< the database is away
  std::vector<Errand> held;       ///< somebody else keeps their devices' rows locked
  bool events_written = false;
};

/// Tells the publisher what must stand on the broker, after the commit and before the replies.
using OfferChanged = std::function<void(const fleet::Device& device)>;

/// Tells whoever pushes that a device asked and that the rollout's rate let it wait.
using TurnedAway = std::function<void(std::int64_t rollout_id, const fleet::Device& device)>;

/// What a writer works with. Belongs to its thread.
struct Writer {
  std::unique_ptr<fleet::UpdateStore> store;
  const fleet::CatalogSource* catalogs = nullptr;
  fleet::Sha256 sha256 = nullptr;
  fleet::LocalClock local_clock = nullptr;
  OfferChanged offer_changed;
  TurnedAway turned_away;
  /// Reads the catalog again; false when it cannot be read. Empty: it is always current.
  std::function<bool()> refresh_catalog = {};
  /// Refused MACs that were already told by an event, as "device mac"; bounded, so one may be told again some
  /// day.
  std::set<std::string> refused_macs_told = {};
};

/// Turns away who does not show to be the device it speaks for, then runs the errands through one
/// transaction: register and load their devices, apply each message in order,
/// commit, then reply. A row that the database refuses, or that somebody keeps locked, never fails its
/// neighbours: the batch is halved until it stands alone. `wait`: for locks, at first.
[[nodiscard]] BatchOutcome run_batch(std::vector<Errand> errands, Writer& writer,
                                     fleet::LockWait wait = fleet::LockWait::usual);

}  // namespace ota::bridge
