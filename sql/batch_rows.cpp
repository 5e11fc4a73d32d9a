#include "sql/batch_rows.hpp"

#include "fleet/strict_json.hpp"
#include "sql/parameters.hpp"

namespace ota::sql {
namespace {

constexpr Statement kSaveAttempts = {"save_attempts", R"sql(
  INSERT INTO device_update_status AS s (attempt_id, device_id, firmware_version, rollout_id, status,
                                         error_message, progress_percent, boot_id, started_at, completed_at,
                                         reported_at, status_changed_at, due_at, failure_kind)
  SELECT c.attempt_id, c.device_id, c.version, c.rollout_id, c.status, c.error, c.progress, c.boot_id,
         'epoch'::timestamptz + c.started_at * interval '1 microsecond', CASE WHEN c.final THEN t.at END, t.at,
         'epoch'::timestamptz + c.changed_at * interval '1 microsecond',
         'epoch'::timestamptz + c.due_at * interval '1 microsecond', c.failure
  FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::integer[],
              $8::text[], $9::boolean[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::bigint[])
       AS c (attempt_id, device_id, version, rollout_id, status, error, progress, boot_id, final, at, changed_at,
             due_at, failure, started_at),
       LATERAL (SELECT 'epoch'::timestamptz + c.at * interval '1 microsecond') AS t (at)
  ON CONFLICT (attempt_id) DO UPDATE SET
    status = excluded.status, error_message = excluded.error_message,
    progress_percent = excluded.progress_percent, boot_id = excluded.boot_id,
    completed_at = CASE WHEN s.status = excluded.status THEN coalesce(s.completed_at, excluded.completed_at)
                        ELSE excluded.completed_at END,
    reported_at = excluded.reported_at, status_changed_at = excluded.status_changed_at,
    due_at = excluded.due_at, failure_kind = excluded.failure_kind)sql"};

constexpr Statement kSaveOffers = {"save_offers", R"sql(
  INSERT INTO offers AS o (device_id, attempt_id, rollout_id, release_id, version, from_version, open, taken,
                           failed_attempts, wanted_revision, published_revision, wanted_at, origin_version,
                           offered_at, failure_kind, retry_at)
  SELECT c.device_id, c.attempt_id, c.rollout_id, c.release_id, c.version, c.from_version, c.open, c.taken,
         c.failed_attempts, c.wanted_revision, c.published_revision,
         'epoch'::timestamptz + c.at * interval '1 microsecond', c.origin_version,
         'epoch'::timestamptz + c.offered_at * interval '1 microsecond', c.failure_kind,
         'epoch'::timestamptz + c.retry_at * interval '1 microsecond'
  FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::boolean[],
              $8::boolean[], $9::integer[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[],
              $14::bigint[], $15::text[], $16::bigint[])
       AS c (device_id, attempt_id, rollout_id, release_id, version, from_version, open, taken,
             failed_attempts, wanted_revision, published_revision, at, origin_version, offered_at,
             failure_kind, retry_at)
  ON CONFLICT (device_id) DO UPDATE SET
    attempt_id = excluded.attempt_id, rollout_id = excluded.rollout_id, release_id = excluded.release_id,
    version = excluded.version, from_version = excluded.from_version, open = excluded.open,
    taken = excluded.taken, failed_attempts = excluded.failed_attempts,
    wanted_revision = excluded.wanted_revision,
    published_revision = greatest(o.published_revision, excluded.published_revision), origin_version = excluded.origin_version,
    offered_at = excluded.offered_at, failure_kind = excluded.failure_kind, retry_at = excluded.retry_at,
    wanted_at = CASE WHEN o.wanted_revision = excluded.wanted_revision THEN o.wanted_at
                     ELSE excluded.wanted_at END)sql"};

constexpr Statement kSaveVersions = {"save_versions", R"sql(
  UPDATE devices d SET current_firmware_version = c.version
  FROM unnest($1::text[], $2::text[]) AS c (device_id, version)
  WHERE d.device_id = c.device_id AND d.current_firmware_version IS DISTINCT FROM c.version)sql"};

constexpr Statement kSaveBoots = {"save_boots", R"sql(
  UPDATE devices d SET boot_id = c.boot_id
  FROM unnest($1::text[], $2::text[]) AS c (device_id, boot_id) WHERE d.device_id = c.device_id)sql"};

constexpr Statement kAddEvents = {"add_events", R"sql(
  INSERT INTO ota_events (event_type, device_id, firmware_version, rollout_id, event_data, created_by)
  SELECT c.type, c.device_id, c.version, c.rollout_id, coalesce(c.data::jsonb, '{}'::jsonb), c.by
  FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[])
       AS c (type, device_id, version, rollout_id, data, by))sql"};

void add_attempts(Script& script, const std::vector<fleet::AttemptChange>& changes) {
  if (changes.empty()) return;
  ArrayLiteral ids, devices, versions, rollouts, statuses, errors, progress, boots, finals, at, changed_at,
      due_at, failures, started_at;
  for (const auto& [device_id, attempt, reported_at] : changes) {
    ids.add(attempt.id);
    devices.add(device_id);
    versions.add(attempt.version);
    attempt.rollout_id == 0 ? rollouts.add_null() : rollouts.add(attempt.rollout_id);
    statuses.add(fleet::to_string(attempt.status));
    errors.add_or_null(attempt.error);
    progress.add(attempt.progress_percent);
    boots.add_or_null(attempt.boot_id);
    finals.add(fleet::is_final(attempt.status));
    at.add(reported_at);
    changed_at.add(attempt.changed_at);
    attempt.due_at ? due_at.add(*attempt.due_at) : due_at.add_null();
    attempt.failure ? failures.add(fleet::to_string(*attempt.failure)) : failures.add_null();
    started_at.add(attempt.started_at);
  }
  script.execute(kSaveAttempts, {ids.str(), devices.str(), versions.str(), rollouts.str(), statuses.str(),
                                 errors.str(), progress.str(), boots.str(), finals.str(), at.str(),
                                 changed_at.str(), due_at.str(), failures.str(), started_at.str()});
}

// `statement` gives each device its text.
void add_texts(Script& script, const Statement& statement,
               const std::vector<std::pair<std::string, std::string>>& changes) {
  if (changes.empty()) return;
  ArrayLiteral devices, texts;
  for (const auto& [device_id, text] : changes) {
    devices.add(device_id);
    texts.add(text);
  }
  script.execute(statement, {devices.str(), texts.str()});
}

void add_events(Script& script, const std::vector<fleet::Event>& events) {
  if (events.empty()) return;
  ArrayLiteral types, devices, versions, rollouts, data, by;
  for (const auto& event : events) {
    types.add(event.type);
    devices.add_or_null(event.device_id);
    versions.add_or_null(event.version);
    event.rollout_id == 0 ? rollouts.add_null() : rollouts.add(event.rollout_id);
    const bool has_data = !std::holds_alternative<std::nullptr_t>(event.data.value);
    has_data ? data.add(fleet::to_json(event.data)) : data.add_null();
    by.add_or_null(event.by);
  }
  script.execute(kAddEvents,
                 {types.str(), devices.str(), versions.str(), rollouts.str(), data.str(), by.str()});
}

void add_offers(Script& script, const std::vector<fleet::OfferChange>& changes) {
  if (changes.empty()) return;
  ArrayLiteral devices, attempts, rollouts, releases, versions, from, open, taken, failed, wanted, published,
      at, origins, offered, failures, retries;
  for (const auto& [device_id, offer, changed_at] : changes) {
    devices.add(device_id);
    attempts.add(offer.attempt_id);
    rollouts.add(offer.rollout_id);
    releases.add(offer.release_id);
    versions.add(offer.version);
    from.add(offer.from_version);
    open.add(offer.open);
    taken.add(offer.taken);
    failed.add(offer.failed_attempts);
    wanted.add(offer.wanted_revision);
    published.add(offer.published_revision);
    at.add(changed_at);
    origins.add(offer.origin_version);
    offered.add(offer.offered_at);
    offer.last_failure ? failures.add(fleet::to_string(*offer.last_failure)) : failures.add_null();
    offer.retry_at ? retries.add(*offer.retry_at) : retries.add_null();
  }
  script.execute(kSaveOffers,
                 {devices.str(), attempts.str(), rollouts.str(), releases.str(), versions.str(), from.str(),
                  open.str(), taken.str(), failed.str(), wanted.str(), published.str(), at.str(),
                  origins.str(), offered.str(), failures.str(), retries.str()});
}

}  // namespace

void add_changes(Script& script, const fleet::BatchChanges& changes) {
  add_attempts(script, changes.attempts);
  add_offers(script, changes.offers);
  add_texts(script, kSaveVersions, changes.versions);
  add_texts(script, kSaveBoots, changes.boots);
  add_events(script, changes.events);
}

}  // namespace ota::sql
