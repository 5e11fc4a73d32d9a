#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fleet/catalog.hpp"
#include "fleet/device.hpp"
#include "fleet/expected.hpp"
#include "fleet/ports/update_store.hpp"
#include "fleet/time.hpp"

namespace ota::fleet {

/// A device's offer as it should stand on the broker now.
struct WantedOffer {
  std::string device_id;
  std::string device_version;
  Offer offer;
};

/// A revision of a device's offer that the broker has acknowledged.
struct PublishedOffer {
  std::string device_id;
  std::int64_t revision = 0;
};

/// A model whose releases or rollouts changed, so its devices' offers are to be worked out anew.
struct PushRequest {
  std::string model;
  std::int64_t revision = 0;
};

/// What the broker was seen to retain on a device's offer topic.
struct RetainedOffer {
  std::string device_id;
  std::int64_t attempt_id = 0;  ///< 0: a payload that is no offer of ours
};

/// The pushing side of the offers table. One connection; belongs to one thread.
class PushStore {
 public:
  virtual ~PushStore() = default;

  /// Requests written by triggers that are not done yet.
  [[nodiscard]] virtual Expected<std::vector<PushRequest>> open_requests() = 0;
  [[nodiscard]] virtual Expected<void> finish_request(const PushRequest& request) = 0;
  /// Writes a request as the triggers do, for a model that has had one; others are passed over.
  [[nodiscard]] virtual Expected<void> request_push(const std::string& model) = 0;
  /// Begins a transaction and answers up to `count_max` devices of `model` with an id above `after`, by id,
  /// locked, that have been seen on MQTT or have an open offer. Ended by save_page.
  [[nodiscard]] virtual Expected<std::vector<Device>> load_page(const std::string& model,
                                                                const std::string& after, int count_max) = 0;
  [[nodiscard]] virtual Expected<void> save_page(const BatchChanges& changes) = 0;
  [[nodiscard]] virtual Expected<std::int64_t> next_attempt_id() = 0;
  /// As UpdateStore::free_slots between load_page and save_page; at other times the answer is only a hint.
  [[nodiscard]] virtual Expected<int> free_slots(std::int64_t rollout_id, const PushRate& rate) = 0;

  /// Offers of devices seen on MQTT with wanted_revision <> published_revision that were wanted before
  /// `wanted_before`, by device id above `after`.
  [[nodiscard]] virtual Expected<std::vector<WantedOffer>> unpublished(Time wanted_before,
                                                                       const std::string& after,
                                                                       int count_max) = 0;
  /// Sets published_revision. Where a higher one was acknowledged before, the broker may now retain the
  /// older: the offer becomes due again. Unknown devices are passed over.
  [[nodiscard]] virtual Expected<void> mark_published(const std::vector<PublishedOffer>& published) = 0;
};

/// Comparing the broker's retained offers with the truth after a connect. One connection; belongs to one
/// thread.
class ReconcileStore {
 public:
  virtual ~ReconcileStore() = default;
  /// Forgets what was seen before.
  [[nodiscard]] virtual Expected<void> begin_reading() = 0;
  [[nodiscard]] virtual Expected<void> add_seen(const std::vector<RetainedOffer>& seen) = 0;
  /// Marks every standing offer of a device seen on MQTT that was not seen on the broker, or seen with
  /// another attempt, as unpublished; answers how many.
  [[nodiscard]] virtual Expected<std::int64_t> mark_missing() = 0;
  /// Ids of devices whose retained offer was seen though none stands, above `after`, by id.
  [[nodiscard]] virtual Expected<std::vector<std::string>> stale(const std::string& after, int count_max) = 0;
};

}  // namespace ota::fleet
