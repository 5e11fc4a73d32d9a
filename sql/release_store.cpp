#include "sql/admin_store.hpp"
#include "sql/device_rows.hpp"
#include "sql/json.hpp"
#include "sql/list_pages.hpp"
#include "sql/parameters.hpp"
#include "sql/pooled.hpp"

namespace ota::sql {
namespace {

using fleet::Expected;

constexpr Statement kAddRelease = {"add_release", R"sql(
  INSERT INTO firmware_releases (version, device_model, min_version, file_path, file_size, checksum_sha256,
                                 changelog, release_notes, is_signed, created_by, created_at, metadata,
                                 manifest, manifest_sequence, verified)
  VALUES ($1, $2, $3, $4, $5::bigint, $6, $7, $8, $9::boolean, $10, now(),
          jsonb_strip_nulls(jsonb_build_object('image', $13::jsonb, 'forced', $14::text)), $11, nullif($12::bigint, 0),
          $11::text IS NOT NULL)
  ON CONFLICT (version, device_model) DO NOTHING)sql"};

constexpr Statement kReleaseHash = {
    "release_hash",
    "SELECT lower(checksum_sha256) FROM firmware_releases WHERE version = $1 AND device_model = $2"};

constexpr Statement kReleaseEvent = {"release_event", R"sql(
  INSERT INTO ota_events (event_type, firmware_version, event_data, created_by)
  VALUES ('firmware_uploaded', $1,
          jsonb_strip_nulls(jsonb_build_object('device_model', $2::text, 'file_size', $3::bigint, 'checksum_sha256',
                                               $4::text, 'image', $6::jsonb, 'forced', $7::text)), $5))sql"};

#define OTA_SQL_RELEASE_COLUMNS \
  "version, device_model, file_path, file_size, lower(checksum_sha256), is_signed, " OTA_SQL_ISO( \
      "created_at") ", release_notes, verified, metadata->'image', metadata->>'forced', manifest, " OTA_SQL_ISO( \
      "withdrawn_at")

// One statement for each filter, so that each has its own index. $1: the count; $2 to $4: of the cursor.
#define OTA_SQL_CREATED "coalesce(created_at, " OTA_SQL_NEVER ")"
#define OTA_SQL_CREATED_CUT "date_bin('10 seconds', " OTA_SQL_CREATED ", '2000-01-01 00:00:00+00')"
#define OTA_SQL_LIST_RELEASES(filter) \
  "SELECT " OTA_SQL_RELEASE_COLUMNS ", " OTA_SQL_CUT_NUMBER(OTA_SQL_CREATED_CUT) ", " OTA_SQL_BEYOND_CUT(    \
      OTA_SQL_CREATED, OTA_SQL_CREATED_CUT) ", id, 0, 0 FROM firmware_releases WHERE " filter                \
  " (" OTA_SQL_CREATED ", id) < (" OTA_SQL_CUT_TIME("$2::bigint", "$3::bigint") ", $4::bigint) "             \
  "ORDER BY " OTA_SQL_CREATED " DESC, id DESC LIMIT $1::integer"
constexpr int kReleaseCursor = 13;  // the column after a release's
constexpr Statement kListReleases = {"list_releases", OTA_SQL_LIST_RELEASES("")};
constexpr Statement kListReleasesOfModel = {"list_releases_of_model",
                                            OTA_SQL_LIST_RELEASES("device_model = $5::text AND")};

constexpr Statement kFindReleases = {
    "find_releases", "SELECT " OTA_SQL_RELEASE_COLUMNS
                     " FROM firmware_releases WHERE version = $1 AND withdrawn_at IS NULL "
                     "AND ($2::text IS NULL OR device_model = $2::text) ORDER BY device_model"};

constexpr Statement kLockRelease = {"lock_release",
                                    "SELECT id, file_path, withdrawn_at IS NOT NULL FROM firmware_releases "
                                    "WHERE version = $1 AND device_model = $2 FOR UPDATE"};
constexpr Statement kWithdraw = {"withdraw_release",
                                 "UPDATE firmware_releases SET withdrawn_at = now() WHERE id = $1::bigint"};
constexpr Statement kDeleteRelease = {"delete_release",
                                      "DELETE FROM firmware_releases WHERE id = $1::bigint"};
constexpr Statement kNeededBy = {"release_needed_by", R"sql(
  SELECT format('rollout %s ''%s'' (%s)', id, name, state) FROM rollout_configurations
  WHERE firmware_version = $1 AND device_model = $2 AND state IN ('scheduled', 'running', 'paused')
  UNION ALL SELECT 'the offer of device ' || device_id FROM offers WHERE release_id = $3::bigint AND open
  LIMIT 1)sql"};
constexpr Statement kFileUsed = {"file_used", "SELECT FROM firmware_releases WHERE file_path = $1 LIMIT 1"};
constexpr Statement kStoredImage = {
    "stored_image",
    "SELECT lower(checksum_sha256), file_size, coalesce(manifest_sequence, 0) FROM "
    "firmware_releases WHERE id = $1::bigint"};
constexpr Statement kSetManifest = {
    "set_manifest",
    "UPDATE firmware_releases SET manifest = $2, manifest_sequence = $3::bigint, "
    "verified = true, is_signed = true WHERE id = $1::bigint"};
constexpr Statement kReleaseEventWhy = {"release_event_why", R"sql(
  INSERT INTO ota_events (event_type, firmware_version, event_data, created_by)
  VALUES ($1, $2, jsonb_strip_nulls(jsonb_build_object('device_model', $3::text, 'why', $4::text)), $5))sql"};

pqxx::row lock_release(Session& session, pqxx::work& work, const std::string& version,
                       const std::string& model) {
  const auto rows = session.execute(work, kLockRelease, without_nul(version), without_nul(model));
  if (rows.empty()) {
    throw Refusal(fleet::ErrorKind::not_found, "no version " + version + " of device_model " + model);
  }
  return rows[0];
}

std::vector<fleet::ReleaseRow> read_releases(const pqxx::result& rows) {
  std::vector<fleet::ReleaseRow> releases;
  for (const auto& row : rows) {
    fleet::ReleaseRow release;
    release.version = text_of(row[0]);
    release.model = text_of(row[1]);
    release.file_path = text_of(row[2]);
    release.size_bytes = number_of(row[3]);
    release.sha256 = text_of(row[4]);
    release.is_signed = flag_of(row[5]);
    release.created_at = text_of(row[6]);
    release.notes = text_of(row[7]);
    release.verified = flag_of(row[8]);
    release.image_json = text_of(row[9]);
    release.forced = text_of(row[10]);
    release.manifest = text_of(row[11]);
    release.withdrawn_at = text_of(row[12]);
    releases.push_back(std::move(release));
  }
  return releases;
}

}  // namespace

Expected<bool> PgReleaseStore::add_release(const fleet::NewRelease& release) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const auto added = session.execute(
        work, kAddRelease, without_nul(release.version), without_nul(release.model),
        text_or_null(release.min_version), without_nul(release.file_path), release.size_bytes,
        without_nul(release.sha256), text_or_null(release.changelog), text_or_null(release.notes),
        release.is_signed, text_or_null(release.by), text_or_null(release.manifest), release.sequence,
        text_or_null(release.image_json), text_or_null(release.forced));
    if (added.affected_rows() == 1) {
      session.execute(work, kReleaseEvent, release.version, release.model, release.size_bytes, release.sha256,
                      text_or_null(release.by), text_or_null(release.image_json),
                      text_or_null(release.forced));
      return true;
    }
    const auto present = session.execute(work, kReleaseHash, release.version, release.model);
    if (!present.empty() && text_of(present[0][0]) == release.sha256) return false;
    throw Refusal(fleet::ErrorKind::conflict, "version " + release.version + " of " + release.model +
                                                  " exists with other bytes; upload under a new version");
  });
}

Expected<fleet::Page<fleet::ReleaseRow>> PgReleaseStore::list_releases(const std::string& model,
                                                                       const fleet::PageWanted& page) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const auto& after = page.after;
    const auto rows = model.empty() ? session.execute(work, kListReleases, page.count_max, after.cut,
                                                      after.beyond_us, after.id)
                                    : session.execute(work, kListReleasesOfModel, page.count_max, after.cut,
                                                      after.beyond_us, after.id, without_nul(model));
    return fleet::Page<fleet::ReleaseRow>{read_releases(rows), next_of(rows, kReleaseCursor, page.count_max)};
  });
}

Expected<std::vector<fleet::ReleaseRow>> PgReleaseStore::find_releases(const std::string& version,
                                                                       const std::string& model) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    return read_releases(session.execute(work, kFindReleases, without_nul(version), text_or_null(model)));
  });
}

Expected<void> PgReleaseStore::withdraw_release(const std::string& version, const std::string& model,
                                                const std::string& by, const std::string& why) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const auto release = lock_release(session, work, version, model);
    if (flag_of(release[2])) return;
    session.execute(work, kWithdraw, number_of(release[0]));
    session.execute(work, kReleaseEventWhy, "firmware_withdrawn", version, model, text_or_null(why),
                    text_or_null(by));
  });
}

Expected<std::string> PgReleaseStore::delete_release(const std::string& version, const std::string& model,
                                                     const std::string& by) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const auto release = lock_release(session, work, version, model);
    const auto needed = session.execute(work, kNeededBy, version, model, number_of(release[0]));
    if (!needed.empty()) {
      throw Refusal(fleet::ErrorKind::conflict, "version " + version + " of " + model + " is needed by " +
                                                    text_of(needed[0][0]) + "; end that first");
    }
    session.execute(work, kDeleteRelease, number_of(release[0]));
    const char* no_reason = nullptr;
    session.execute(work, kReleaseEventWhy, "firmware_deleted", version, model, no_reason, text_or_null(by));
    const bool used = !session.execute(work, kFileUsed, text_of(release[1])).empty();
    return used ? std::string() : text_of(release[1]);
  });
}

Expected<void> PgReleaseStore::set_manifest(const fleet::Manifest& manifest, const std::string& text,
                                            const std::string& by) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const auto release = lock_release(session, work, manifest.version, manifest.model);
    const auto stored = session.execute(work, kStoredImage, number_of(release[0]))[0];
    if (text_of(stored[0]) != manifest.sha256 || number_of(stored[1]) != manifest.size_bytes) {
      throw Refusal(fleet::ErrorKind::invalid, "manifest: it is for another image than the stored " +
                                                   manifest.version + " of " + manifest.model);
    }
    if (number_of(stored[2]) >= manifest.sequence) {
      throw Refusal(fleet::ErrorKind::conflict, "manifest: sequence " + std::to_string(manifest.sequence) +
                                                    " must be above the present " + text_of(stored[2]));
    }
    session.execute(work, kSetManifest, number_of(release[0]), without_nul(text), manifest.sequence);
    const auto why = "sequence " + std::to_string(manifest.sequence) + " by key " + manifest.key_id;
    session.execute(work, kReleaseEventWhy, "manifest_added", manifest.version, manifest.model, why,
                    text_or_null(by));
  });
}

Expected<bool> PgReleaseStore::is_file_used(const std::string& file_path) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    return !session.execute(work, kFileUsed, without_nul(file_path)).empty();
  });
}

}  // namespace ota::sql
