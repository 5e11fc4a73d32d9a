#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fleet/device.hpp"
#include "fleet/ports/update_store.hpp"
#include "fleet/rollout_policy.hpp"
#include "sql/parameters.hpp"
#include "sql/session.hpp"

namespace ota::sql {

/// fleet::FleetRules::revision: the triggers raise one of these with each change, so their sum only rises.
#define OTA_SQL_CATALOG_REVISION "(SELECT coalesce(sum(requested), 0)::bigint FROM push_requests)"

/// SELECT list and joins that read_device understands; the query has `d` for devices.
#define OTA_SQL_OFFER_COLUMNS                                                              \
  "o.attempt_id, o.rollout_id, o.release_id, o.version, o.from_version, o.open, o.taken, " \
  "o.failed_attempts, "                                                                    \
  "o.wanted_revision, o.published_revision, o.origin_version, " OTA_SQL_MICROSECONDS(      \
      "o.offered_at") ", o.failure_kind, " OTA_SQL_MICROSECONDS("o.retry_at")
#define OTA_SQL_ATTEMPT_COLUMNS \
  "a.attempt_id, a.rollout_id, a.firmware_version, a.status, a.progress_percent, a.error_message, " \
  "a.boot_id, " OTA_SQL_MICROSECONDS( \
      "coalesce(a.status_changed_at, a.reported_at)") ", " OTA_SQL_MICROSECONDS( \
      "a.due_at") ", a.failure_kind, " OTA_SQL_MICROSECONDS("coalesce(a.started_at, a.reported_at)")
#define OTA_SQL_DEVICE_COLUMNS                                                                          \
  "d.device_id, d.device_model, d.current_firmware_version, d.mac_address, d.boot_id, d.seen_on_mqtt, " \
  "nullif(d.metadata, '{}'::jsonb), d.pinned_version, d.hold, d.revoked_at IS NOT "                     \
  "NULL, " OTA_SQL_OFFER_COLUMNS ", " OTA_SQL_ATTEMPT_COLUMNS
#define OTA_SQL_DEVICE_JOINS                         \
  "LEFT JOIN offers o ON o.device_id = d.device_id " \
  "LEFT JOIN device_update_status a ON a.attempt_id = o.attempt_id"

/// How many columns those are: of the device itself, then of its offer, then of the offer's attempt.
inline constexpr int kDeviceColumns = 10;
inline constexpr int kOfferColumns = 14;
inline constexpr int kAttemptColumns = 11;

/// A row of OTA_SQL_DEVICE_COLUMNS. A MAC address that an adopted row spells in another way is told as ours.
[[nodiscard]] fleet::Device read_device(const pqxx::row& row);

/// The columns of OTA_SQL_ATTEMPT_COLUMNS from `first` on.
[[nodiscard]] fleet::Attempt read_attempt(const pqxx::row& row, int first);

/// The columns of OTA_SQL_OFFER_COLUMNS from `first` on.
[[nodiscard]] fleet::Offer read_offer(const pqxx::row& row, int first);

/// The policy column of a rollout. One that only psql can have made wrong counts as none: the defaults are
/// careful.
[[nodiscard]] fleet::RolloutPolicy read_policy(const pqxx::field& field);

/// NULL as the empty text.
[[nodiscard]] inline std::string text_of(const pqxx::field& field) {
  return field.is_null() ? std::string() : std::string(field.c_str(), field.size());
}
[[nodiscard]] inline std::int64_t number_of(const pqxx::field& field) {
  return field.is_null() ? 0 : field.as<std::int64_t>();
}
[[nodiscard]] inline std::optional<fleet::Time> moment_of(const pqxx::field& field) {
  return field.is_null() ? std::nullopt : std::optional(time_from(field.as<std::int64_t>()));
}
[[nodiscard]] inline bool flag_of(const pqxx::field& field) {
  return !field.is_null() && field.c_str()[0] == 't';
}

/// Several statements that go to the server in one message and are answered by the last one's result. EXECUTE
/// with literals: libpqxx can send only one prepared statement at a time.
class Script {
 public:
  explicit Script(Session& session) : session_(session) {}
  /// A statement without parameters.
  Script& add(const char* sql);
  Script& execute(const Statement& statement, const std::vector<std::string>& parameters);
  /// Throws what libpqxx throws. The transaction's state is the caller's business.
  pqxx::result run();
  /// Adds COMMIT and runs. A connection lost on the way throws Refusal `in_doubt`: the commit may have
  /// happened.
  void commit();

 private:
  Session& session_;
  std::string text_;
};

/// Inside a transaction: how many more offers `rate` allows the rollout now. Takes a lock that is held to the
/// transaction's end, so that all bridges together keep to the rate.
[[nodiscard]] int free_slots(Session& session, std::int64_t rollout_id, const fleet::PushRate& rate);

/// Attempt ids from the sequence attempt_ids, a block of 256 at a time.
class AttemptIds {
 public:
  [[nodiscard]] std::int64_t next(Session& session);

 private:
  std::int64_t next_ = 0;
  std::int64_t end_ = 0;
};

}  // namespace ota::sql
