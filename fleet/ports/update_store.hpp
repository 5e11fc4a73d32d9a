#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "fleet/device.hpp"
#include "fleet/device_proof.hpp"
#include "fleet/expected.hpp"
#include "fleet/rollout_policy.hpp"
#include "fleet/time.hpp"

namespace ota::fleet {

/// What a batch knows of a device before it is loaded: the newest facts of its messages. Not its boot_id:
/// each message has to meet the one that stood before it.
struct Contact {
  std::string device_id;
  std::optional<std::string> model;    ///< only a check says it
  std::optional<std::string> version;  ///< only a check says it
  std::string mac;                     ///< empty: not said
  std::string reported_json;           ///< empty: not said
  std::optional<bool> online;          ///< what its presence says; a check says nothing about staying
  bool over_mqtt = false;
  bool registers = true;  ///< false where no message is a word of the device: it may not make one
  bool loads = true;      ///< false for a presence alone, which decides nothing
  Time seen_at{};
};

/// A row of ota_events to be; `data` is a JSON object, or null for none.
struct Event {
  std::string type;  ///< e.g. update_started (contract section 3)
  std::string device_id;
  std::string version;
  std::int64_t rollout_id = 0;  ///< 0: none
  JsonValue data;
  std::string by = "bridge";
};

/// A changed attempt; inserted when its attempt_id has no row yet.
struct AttemptChange {
  std::string device_id;
  Attempt attempt;
  Time at{};
};

struct OfferChange {
  std::string device_id;
  Offer offer;
  Time at{};
};

/// Everything a batch changes besides the registrations. Each device at most once per list.
struct BatchChanges {
  std::vector<AttemptChange> attempts;
  std::vector<OfferChange> offers;
  std::vector<std::pair<std::string, std::string>> versions;  ///< device id, new current_firmware_version
  std::vector<std::pair<std::string, std::string>> boots;     ///< device id, new boot_id
  std::vector<Event> events;
  [[nodiscard]] bool empty() const {
    return attempts.empty() && offers.empty() && versions.empty() && boots.empty() && events.empty();
  }
};

/// How long a transaction waits for what somebody else has locked; then `unavailable` with Error::met_lock.
enum class LockWait {
  usual,  ///< half a second: what another bridge or a push needs
  brief,  ///< a twentieth: to find out, one after the other, whose row it is
};

/// One writer's hold on the database: one connection, one transaction at a time. Belongs to one thread.
/// Errors: `unavailable` (reconnects on the next call), `invalid` (a row was refused: bisect), `in_doubt`
/// (the commit's outcome is unknown; the batch may be run again because handlers are idempotent).
class UpdateStore {
 public:
  virtual ~UpdateStore() = default;

  /// Outside a transaction: the stored tokens of the devices of `shown`, and of whichever devices have one of
  /// the digests of `shown`.
  [[nodiscard]] virtual Expected<DeviceTokens> find_tokens(const std::vector<DeviceToken>& shown) = 0;
  /// Which of the certificates were revoked.
  [[nodiscard]] virtual Expected<std::set<std::string>> find_revoked(
      const std::vector<std::string>& serials) = 0;

  /// Begins a transaction, registers `contacts` (unique ids, sorted by id) in one statement and answers their
  /// devices in the same order, locked until the end. What is not loaded, or not known, answers a Device with
  /// its id and an empty `model`. A MAC that another device holds is not taken; the answered Device::mac is
  /// what is stored.
  [[nodiscard]] virtual Expected<std::vector<Device>> begin(const std::vector<Contact>& contacts,
                                                            LockWait wait) = 0;
  [[nodiscard]] Expected<std::vector<Device>> begin(const std::vector<Contact>& contacts) {
    return begin(contacts, LockWait::usual);
  }

  /// Inside the transaction: FleetRules::revision as it was once the devices were locked.
  [[nodiscard]] virtual std::int64_t catalog_revision() const = 0;

  /// Inside the transaction: the attempt with that id if it is that device's; nullopt when there is none.
  [[nodiscard]] virtual Expected<std::optional<Attempt>> find_attempt(const std::string& device_id,
                                                                      std::int64_t attempt_id) = 0;
  /// Inside the transaction: the newest attempt of that version but for the one of id `except` (0: none), an
  /// open one before a final one; rows of an adopted database get an attempt_id when they are found. nullopt
  /// when there is none.
  [[nodiscard]] virtual Expected<std::optional<Attempt>> find_attempt_at(const std::string& device_id,
                                                                         const std::string& version,
                                                                         std::int64_t except) = 0;

  /// Inside the transaction: how many more offers the rollout's rate allows now. Locks out every other
  /// transaction that asks until this one ends.
  [[nodiscard]] virtual Expected<int> free_slots(std::int64_t rollout_id, const PushRate& rate) = 0;

  /// A new, never used attempt id. May be called outside a transaction.
  [[nodiscard]] virtual Expected<std::int64_t> next_attempt_id() = 0;

  /// Writes the changes and commits. On an error everything of the transaction is gone.
  [[nodiscard]] virtual Expected<void> commit(const BatchChanges& changes) = 0;
  /// Gives the transaction up.
  virtual void rollback() = 0;
};

}  // namespace ota::fleet
