#include "sql/catalog_store.hpp"

#include <algorithm>

#include "fleet/ids.hpp"
#include "fleet/target_filter.hpp"
#include "sql/device_rows.hpp"
#include "sql/json.hpp"
#include "sql/parameters.hpp"
#include "sql/session.hpp"

namespace ota::sql {
namespace {

using fleet::Expected;

constexpr Statement kReleases = {
    "load_releases",
    "SELECT id, version, device_model, min_version, file_size, lower(checksum_sha256), "
    "release_notes, " OTA_SQL_MICROSECONDS(
        "created_at") ", withdrawn_at IS NOT NULL, "
                      "coalesce((SELECT c.state IN ('aborted', 'rolled_back') FROM rollout_configurations c "
                      "WHERE c.device_model = r.device_model AND c.firmware_version = r.version "
                      "ORDER BY c.id DESC LIMIT 1), false), manifest, manifest_sequence "
                      "FROM firmware_releases r ORDER BY id"};

constexpr Statement kRollouts = {
    "load_rollouts", R"sql(
  SELECT id, name, firmware_version, device_model, state, target_type, target_filter, rollout_percentage,
         allow_downgrade, salt, policy, stage, )sql" OTA_SQL_MICROSECONDS(
                         "stage_entered_at") ", " OTA_SQL_MICROSECONDS("acknowledged_at") R"sql(, rolls_back
  FROM rollout_configurations WHERE state IN ('scheduled', 'running', 'paused') ORDER BY id)sql"};
constexpr Statement kRules = {"load_rules",
                              "SELECT (SELECT frozen FROM service_settings), " OTA_SQL_CATALOG_REVISION};

// Rows the grammar refuses stay in the database, listed and untouched, and take no part (contract section 3).
std::optional<fleet::Release> read_release(const pqxx::row& row) {
  fleet::Release release;
  release.id = number_of(row[0]);
  release.version = text_of(row[1]);
  release.model = text_of(row[2]);
  if (!row[3].is_null() && row[3].size() > 0) release.min_version = text_of(row[3]);
  release.size_bytes = number_of(row[4]);
  release.sha256 = text_of(row[5]);
  release.notes = text_of(row[6]);
  release.created_at = time_from(number_of(row[7]));
  release.withdrawn = flag_of(row[8]);
  release.aborted = flag_of(row[9]);
  release.manifest = text_of(row[10]);
  release.sequence = number_of(row[11]);
  const bool accepted = fleet::parse_version_text("version", release.version).has_value() &&
                        fleet::parse_id("device_model", release.model).has_value();
  return accepted ? std::optional(std::move(release)) : std::nullopt;
}

std::optional<fleet::Rollout> read_rollout(const pqxx::row& row) {
  const auto type = fleet::parse_target_type(text_of(row[5]));
  if (!type) return std::nullopt;
  fleet::Rollout rollout;
  rollout.id = number_of(row[0]);
  rollout.name = text_of(row[1]);
  rollout.version = text_of(row[2]);
  rollout.model = text_of(row[3]);
  rollout.state = fleet::parse_rollout_state(text_of(row[4])).value_or(fleet::RolloutState::paused);
  rollout.target =
      fleet::read_target(*type, row[6].is_null() ? fleet::JsonValue{} : parse_jsonb(row[6].c_str()));
  rollout.target.percentage = static_cast<int>(std::clamp<std::int64_t>(number_of(row[7]), 0, 100));
  rollout.allow_downgrade = flag_of(row[8]);
  rollout.target.salt = text_of(row[9]);
  rollout.policy = read_policy(row[10]);
  rollout.stage = static_cast<int>(number_of(row[11]));
  rollout.stage_entered_at = time_from(number_of(row[12]));
  rollout.acknowledged_at = moment_of(row[13]);
  rollout.rolls_back = number_of(row[14]);
  return rollout;
}

}  // namespace

struct PgCatalogStore::State {
  State(const ConnectOptions& options, bool only_signed) : session(options), signed_only(only_signed) {}
  Session session;
  bool signed_only;
};

PgCatalogStore::PgCatalogStore(const ConnectOptions& options, bool signed_only)
    : state_(std::make_unique<State>(options, signed_only)) {}
PgCatalogStore::~PgCatalogStore() = default;

Expected<fleet::Catalog> PgCatalogStore::load_catalog() {
  return state_->session.run([this](Session& session) {
    session.drop_if_dead();
    // Repeatable read: releases and rollouts of one moment.
    pqxx::transaction<pqxx::isolation_level::repeatable_read> transaction(session.connection());
    std::vector<fleet::Release> releases;
    for (const auto& row : session.execute(transaction, kReleases)) {
      if (auto release = read_release(row)) releases.push_back(std::move(*release));
    }
    std::vector<fleet::Rollout> rollouts;
    for (const auto& row : session.execute(transaction, kRollouts)) {
      if (auto rollout = read_rollout(row)) rollouts.push_back(std::move(*rollout));
    }
    const auto rules = session.execute(transaction, kRules)[0];
    transaction.commit();
    return fleet::Catalog(
        std::move(releases), std::move(rollouts),
        {.frozen = flag_of(rules[0]), .signed_only = state_->signed_only, .revision = number_of(rules[1])});
  });
}

}  // namespace ota::sql
