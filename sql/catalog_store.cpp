#include "sql/catalog_store.hpp"

#include <algorithm>

#include "fleet/ids.hpp"
#include "sql/device_rows.hpp"
#include "sql/json.hpp"
#include "sql/parameters.hpp"
#include "sql/session.hpp"

namespace ota::sql {
namespace {

using fleet::Expected;

constexpr Statement kReleases = {
    "load_releases",
    "SELECT id, version, device_model, min_version, file_size, checksum_sha256, "
    "release_notes, " OTA_SQL_MICROSECONDS(
        "created_at") ", withdrawn_at IS NOT NULL FROM firmware_releases ORDER BY id"};

constexpr Statement kRollouts = {"load_rollouts", R"sql(
  SELECT id, name, firmware_version, device_model, state, target_type, target_filter, rollout_percentage,
         allow_downgrade, salt
  FROM rollout_configurations WHERE state IN ('running', 'paused') ORDER BY id)sql"};

std::optional<fleet::TargetType> parse_target_type(const std::string& text) {
  if (text == "all") return fleet::TargetType::all;
  if (text == "canary") return fleet::TargetType::canary;
  if (text == "specific") return fleet::TargetType::specific;
  if (text == "group") return fleet::TargetType::group;
  return std::nullopt;
}

std::vector<std::string> strings_of(const fleet::JsonValue& filter, std::string_view key) {
  const auto* found = filter.find(key);
  return found == nullptr ? std::vector<std::string>{} : found->strings();
}

fleet::Target read_target(fleet::TargetType type, const fleet::JsonValue& filter) {
  fleet::Target target;
  target.type = type;
  target.device_ids = strings_of(filter, "device_ids");
  for (const auto& text : strings_of(filter, "mac_addresses")) {
    target.mac_addresses.push_back(fleet::parse_mac("mac_addresses", text).value_or(text));
  }
  target.groups = strings_of(filter, "groups");
  for (auto& group : strings_of(filter, "group")) target.groups.push_back(std::move(group));
  target.exclude_device_ids = strings_of(filter, "exclude_device_ids");
  const auto* metadata = filter.find("metadata");
  const bool given = metadata != nullptr && !std::holds_alternative<std::nullptr_t>(metadata->value);
  if (given) target.metadata = *metadata;
  return target;
}

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
  const bool accepted = fleet::parse_version_text("version", release.version).has_value() &&
                        fleet::parse_id("device_model", release.model).has_value();
  return accepted ? std::optional(std::move(release)) : std::nullopt;
}

std::optional<fleet::Rollout> read_rollout(const pqxx::row& row) {
  const auto type = parse_target_type(text_of(row[5]));
  if (!type) return std::nullopt;
  fleet::Rollout rollout;
  rollout.id = number_of(row[0]);
  rollout.name = text_of(row[1]);
  rollout.version = text_of(row[2]);
  rollout.model = text_of(row[3]);
  rollout.state = text_of(row[4]) == "paused" ? fleet::RolloutState::paused : fleet::RolloutState::running;
  rollout.target = read_target(*type, row[6].is_null() ? fleet::JsonValue{} : parse_jsonb(row[6].c_str()));
  rollout.target.percentage = static_cast<int>(std::clamp<std::int64_t>(number_of(row[7]), 0, 100));
  rollout.allow_downgrade = flag_of(row[8]);
  rollout.target.salt = text_of(row[9]);
  return rollout;
}

}  // namespace

struct PgCatalogStore::State {
  explicit State(const ConnectOptions& options) : session(options) {}
  Session session;
};

PgCatalogStore::PgCatalogStore(const ConnectOptions& options) : state_(std::make_unique<State>(options)) {}
PgCatalogStore::~PgCatalogStore() = default;

Expected<fleet::Catalog> PgCatalogStore::load_catalog() {
  return state_->session.run([](Session& session) {
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
    transaction.commit();
    return fleet::Catalog(std::move(releases), std::move(rollouts));
  });
}

}  // namespace ota::sql
