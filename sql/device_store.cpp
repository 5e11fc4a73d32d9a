#include "sql/device_store.hpp"

#include <algorithm>
#include <set>

#include "fleet/strict_json.hpp"
#include "sql/certificate_rows.hpp"
#include "sql/device_rows.hpp"
#include "sql/json.hpp"
#include "sql/parameters.hpp"
#include "sql/pooled.hpp"

namespace ota::sql {
namespace {

using fleet::ErrorKind;
using fleet::Expected;
using fleet::JsonValue;

// The device's own columns come first, so read_device can read the rest of the row.
constexpr Statement kFind = {"find_device", "SELECT " OTA_SQL_DEVICE_COLUMNS
                                            ", d.online, " OTA_SQL_ISO("d.last_seen") ", " OTA_SQL_ISO(
                                                "d.created_at") " FROM devices d " OTA_SQL_DEVICE_JOINS
                                                                " WHERE d.device_id = $1"};
constexpr int kOnline = kDeviceColumns + kOfferColumns + kAttemptColumns;  // the column after those

constexpr Statement kAttempts = {
    "attempts_of_device", "SELECT attempt_id, rollout_id, firmware_version, status, failure_kind, error_message, "
                          "progress_percent, " OTA_SQL_ISO("started_at") ", " OTA_SQL_ISO("completed_at") ", "
                          OTA_SQL_ISO("reported_at") " FROM device_update_status WHERE device_id = $1 "
                          "ORDER BY id DESC LIMIT 50"};

constexpr Statement kLock = {
    "lock_device", "SELECT revoked_at IS NOT NULL FROM devices WHERE device_id = $1 FOR NO KEY UPDATE"};
constexpr Statement kMacHolder = {"mac_holder", R"sql(
  SELECT device_id FROM devices
  WHERE upper(translate(mac_address, ':-', '')) = upper(translate($1, ':-', '')) AND device_id <> $2)sql"};
// Merged here and not by us, so that what nobody touches stays to the last digit.
constexpr Statement kPatch = {"patch_device", R"sql(
  UPDATE devices
  SET metadata = CASE WHEN $2::jsonb IS NULL THEN metadata
                      WHEN jsonb_typeof(metadata) = 'object' THEN metadata - $8::text[] || $2::jsonb
                      ELSE $2::jsonb END,
      mac_address = CASE WHEN $3::boolean THEN $4 ELSE mac_address END,
      pinned_version = CASE WHEN $5::boolean THEN $6 ELSE pinned_version END, hold = coalesce($7::boolean, hold)
  WHERE device_id = $1)sql"};
constexpr Statement kDelete = {"delete_device", "DELETE FROM devices WHERE device_id = $1"};
constexpr Statement kDeleteOffer = {"delete_offer", "DELETE FROM offers WHERE device_id = $1"};
constexpr Statement kEvent = {"device_event", R"sql(
  INSERT INTO ota_events (event_type, device_id, event_data, created_by) VALUES ($1, $2, $3::jsonb, $4))sql"};

// In the order in which every batch locks.
constexpr Statement kLockMany = {"lock_devices", R"sql(
  SELECT d.device_id, CASE WHEN jsonb_typeof(d.metadata) = 'object' THEN d.metadata->'groups' END FROM devices d WHERE d.device_id = ANY($1::text[])
  ORDER BY d.device_id COLLATE "C" FOR NO KEY UPDATE)sql"};
constexpr Statement kSetGroups = {"set_groups", R"sql(
  UPDATE devices d
  SET metadata = CASE WHEN jsonb_typeof(d.metadata) = 'object' THEN d.metadata ELSE '{}' END
                 || jsonb_build_object('groups', c.groups::jsonb)
  FROM unnest($1::text[], $2::text[]) AS c (device_id, groups) WHERE d.device_id = c.device_id)sql"};

constexpr Statement kPage = {"page_of_devices",
                             "SELECT " OTA_SQL_DEVICE_COLUMNS
                             " FROM (SELECT * FROM devices WHERE device_model = $1 "
                             "AND device_id COLLATE \"C\" > $2 "
                             "ORDER BY device_id COLLATE \"C\" LIMIT $3::integer) d " OTA_SQL_DEVICE_JOINS
                             " ORDER BY d.device_id COLLATE \"C\""};

constexpr Statement kVersions = {"running_versions",
                                 "SELECT coalesce(current_firmware_version, ''), count(*) FROM devices "
                                 "WHERE device_model = $1 GROUP BY 1"};

[[noreturn]] void refuse_unknown(const std::string& device_id) {
  throw Refusal(ErrorKind::not_found, "no device with id " + device_id);
}

JsonValue texts(const std::vector<std::string>& list) {
  JsonValue::Array array;
  for (const auto& text : list) array.push_back({text});
  return {std::move(array)};
}

// What a patch does to a device's metadata; `set` is empty when it does nothing.
struct MetadataChange {
  std::string set_json;
  std::string removed = "{}";  // an array literal
};

void add_members(const JsonValue& changes, JsonValue::Object& set, ArrayLiteral& removed) {
  const auto* members = std::get_if<JsonValue::Object>(&changes.value);
  if (members == nullptr) throw Refusal(ErrorKind::invalid, "metadata must be a JSON object");
  for (const auto& [key, value] : *members) {
    if (key == "reported" || key == "groups") {
      throw Refusal(ErrorKind::invalid,
                    "metadata." + key + " cannot be set here: " +
                        (key == "groups" ? "use groups" : "it is what the device says of itself"));
    }
    if (std::holds_alternative<std::nullptr_t>(value.value)) {
      removed.add(key);
    } else {
      set.insert_or_assign(key, value);
    }
  }
}

MetadataChange metadata_change(const fleet::DevicePatch& patch) {
  if (!patch.metadata && !patch.groups) return {};
  JsonValue::Object set;
  ArrayLiteral removed;
  if (patch.metadata) add_members(*patch.metadata, set, removed);
  if (patch.groups) set.insert_or_assign("groups", texts(*patch.groups));
  return {fleet::to_json({std::move(set)}), removed.str()};
}

void refuse_held_mac(Session& session, pqxx::work& work, const std::string& mac,
                     const std::string& device_id) {
  const auto holder = session.execute(work, kMacHolder, without_nul(mac), device_id);
  if (holder.empty()) return;
  throw Refusal(ErrorKind::conflict, "mac " + mac + " belongs to device " + text_of(holder[0][0]));
}

// The names of what a patch changes, for the audit log.
JsonValue changed_keys(const fleet::DevicePatch& patch) {
  JsonValue::Object data;
  if (patch.groups) data.emplace("groups", texts(*patch.groups));
  if (patch.metadata) data.emplace("metadata", *patch.metadata);
  if (patch.mac) data.emplace("mac_address", JsonValue{*patch.mac});
  if (patch.pinned_version) data.emplace("pinned_version", JsonValue{*patch.pinned_version});
  if (patch.hold) data.emplace("hold", JsonValue{*patch.hold});
  return {std::move(data)};
}

// Adds `group` to a device's groups or removes it; whether that changed anything.
bool change_membership(std::vector<std::string>& groups, const std::string& group, bool member) {
  const auto at = std::find(groups.begin(), groups.end(), group);
  if ((at != groups.end()) == member) return false;
  if (member) {
    groups.push_back(group);
  } else {
    groups.erase(at);
  }
  return true;
}

}  // namespace

Expected<fleet::DeviceDetails> PgDeviceStore::find_device(const std::string& device_id) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const auto rows = session.execute(work, kFind, without_nul(device_id));
    if (rows.empty()) refuse_unknown(device_id);
    fleet::DeviceDetails details;
    details.device = read_device(rows[0]);
    details.online = flag_of(rows[0][kOnline]);
    details.last_seen = text_of(rows[0][kOnline + 1]);
    details.created_at = text_of(rows[0][kOnline + 2]);
    for (const auto& row : session.execute(work, kAttempts, device_id)) {
      details.attempts.push_back({number_of(row[0]), number_of(row[1]), text_of(row[2]), text_of(row[3]),
                                  text_of(row[4]), text_of(row[5]), static_cast<int>(number_of(row[6])),
                                  text_of(row[7]), text_of(row[8]), text_of(row[9])});
    }
    return details;
  });
}

Expected<void> PgDeviceStore::patch_device(const std::string& device_id, const fleet::DevicePatch& patch) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    if (session.execute(work, kLock, without_nul(device_id)).empty()) refuse_unknown(device_id);
    const auto metadata = metadata_change(patch);
    const std::string mac = patch.mac.value_or("");
    if (!mac.empty()) refuse_held_mac(session, work, mac, device_id);
    const std::string pinned = patch.pinned_version.value_or("");
    const char* hold = !patch.hold ? nullptr : *patch.hold ? "true" : "false";
    try {
      session.execute(work, kPatch, device_id, text_or_null(metadata.set_json), patch.mac.has_value(),
                      text_or_null(mac), patch.pinned_version.has_value(), text_or_null(pinned), hold,
                      metadata.removed);
    } catch (const pqxx::unique_violation&) {
      throw Refusal(ErrorKind::conflict, "mac " + mac + " was just taken by another device");
    }
    session.execute(work, kEvent, "device_updated", device_id, fleet::to_json(changed_keys(patch)),
                    text_or_null(patch.by));
  });
}

Expected<void> PgDeviceStore::delete_device(const std::string& device_id, const std::string& by) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const auto locked = session.execute(work, kLock, without_nul(device_id));
    if (locked.empty()) refuse_unknown(device_id);
    if (flag_of(locked[0][0])) {
      throw Refusal(ErrorKind::conflict,
                    "device " + device_id +
                        " is revoked, and its entry is what keeps it out; reinstate it before "
                        "you delete it");
    }
    session.execute(work, kDeleteOffer, device_id);
    revoke_certificates(session, work, device_id, by, "decommissioned");
    session.execute(work, kDelete, device_id);
    session.execute(work, kEvent, "device_deleted", device_id, "{}", text_or_null(by));
  });
}

Expected<fleet::GroupOutcome> PgDeviceStore::change_group(const fleet::GroupChange& change) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    const std::set<std::string> add(change.add.begin(), change.add.end());
    std::set<std::string> unknown(change.add.begin(), change.add.end());
    unknown.insert(change.remove.begin(), change.remove.end());
    ArrayLiteral wanted;
    for (const auto& id : unknown) wanted.add(id);
    fleet::GroupOutcome outcome;
    ArrayLiteral ids, groups;
    for (const auto& row : session.execute(work, kLockMany, wanted.str())) {
      const auto id = text_of(row[0]);
      unknown.erase(id);
      auto of_device = row[1].is_null() ? std::vector<std::string>{} : parse_jsonb(row[1].c_str()).strings();
      if (!change_membership(of_device, change.group, add.count(id) > 0)) continue;
      ids.add(id);
      groups.add(fleet::to_json(texts(of_device)));
      outcome.changed.push_back(id);
    }
    outcome.unknown.assign(unknown.begin(), unknown.end());
    if (outcome.changed.empty()) return outcome;
    session.execute(work, kSetGroups, ids.str(), groups.str());
    const JsonValue data{JsonValue::Object{{"group", {change.group}},
                                           {"devices", {static_cast<std::int64_t>(outcome.changed.size())}},
                                           {"add", {static_cast<std::int64_t>(change.add.size())}},
                                           {"remove", {static_cast<std::int64_t>(change.remove.size())}}}};
    const char* no_device = nullptr;
    session.execute(work, kEvent, "group_updated", no_device, fleet::to_json(data), text_or_null(change.by));
    return outcome;
  });
}

Expected<std::vector<fleet::Device>> PgDeviceStore::page_of_devices(const std::string& model,
                                                                    const std::string& after, int count_max) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    std::vector<fleet::Device> devices;
    const auto rows = session.execute(work, kPage, without_nul(model), without_nul(after), count_max);
    devices.reserve(rows.size());
    for (const auto& row : rows) devices.push_back(read_device(row));
    return devices;
  });
}

Expected<std::map<std::string, std::int64_t>> PgDeviceStore::running_versions(const std::string& model) {
  return in_transaction(pool_, [&](Session& session, pqxx::work& work) {
    std::map<std::string, std::int64_t> versions;
    for (const auto& row : session.execute(work, kVersions, without_nul(model))) {
      versions[text_of(row[0])] = number_of(row[1]);
    }
    return versions;
  });
}

}  // namespace ota::sql
