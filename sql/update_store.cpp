#include "sql/update_store.hpp"

#include <algorithm>
#include <set>
#include <string_view>

#include "sql/batch_rows.hpp"
#include "sql/device_rows.hpp"
#include "sql/parameters.hpp"
#include "sql/session.hpp"

namespace ota::sql {
namespace {

using fleet::Contact;
using fleet::Device;
using fleet::Expected;

// Every join of this connection goes from a batch's few rows to a unique index. A plan made while the tables
// were small must not turn into a full scan when they have grown.
constexpr auto kWriterSettings =
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; "
    "SET plan_cache_mode = force_generic_plan";

// Whether the device's connection has still to be ended. A cut that does not come bars for ten seconds.
// Here and below a value is asked for where EXISTS would do: in a plan made while the table was small, that
// would become a hash of all of it, made anew with each batch.
#define OTA_SQL_BEING_CUT(id)                                                           \
  "coalesce((SELECT max(cut.ordered_at) FROM device_cuts cut WHERE cut.device_id = " id \
  ") > now() - interval '10 seconds', false)"

// Both kinds of contact go through one pass in the order of the ids, and a row is locked even where nothing
// of it changes, so batches of different writers never deadlock. In the proposed row "unknown" stands for a
// model that was not said, a null last_seen for a presence (which makes no device and is no sign of life: a
// last will comes from the broker), and online_changed_at tells whether `online` was said at all. Of a
// revoked device nothing is noted, nor of one that is being cut: a device that was just deleted does not come
// back by what it says meanwhile.
constexpr Statement kRegister = {"register_devices", R"sql(
  INSERT INTO devices AS d (device_id, device_model, current_firmware_version, mac_address, last_seen, created_at,
                            seen_on_mqtt, online, online_changed_at, metadata)
  SELECT c.device_id, coalesce(c.model, 'unknown'), c.version,
         CASE WHEN c.mac IS NOT NULL AND NOT EXISTS (
                SELECT FROM devices other WHERE upper(translate(other.mac_address, ':-', ''))
                  = upper(translate(c.mac, ':-', '')) AND other.device_id <> c.device_id)
              THEN c.mac END,
         CASE WHEN c.registers THEN t.seen_at END, t.seen_at, c.over_mqtt, coalesce(c.online, false),
         CASE WHEN c.online IS NOT NULL THEN t.seen_at END,
         CASE WHEN c.reported IS NULL THEN '{}'::jsonb
              ELSE jsonb_build_object('reported', c.reported::jsonb) END
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[],
              $7::boolean[], $8::boolean[], $9::bigint[])
       AS c (device_id, model, version, mac, reported, online, over_mqtt, registers, seen_at),
       LATERAL (SELECT 'epoch'::timestamptz + c.seen_at * interval '1 microsecond') AS t (seen_at)
  WHERE (SELECT true FROM devices known WHERE known.device_id = c.device_id)
     OR (c.registers AND NOT )sql" OTA_SQL_BEING_CUT("c.device_id") R"sql()
  ON CONFLICT (device_id) DO UPDATE SET
    device_model = CASE excluded.device_model WHEN 'unknown' THEN d.device_model ELSE excluded.device_model END,
    current_firmware_version = coalesce(excluded.current_firmware_version, d.current_firmware_version),
    mac_address = coalesce(excluded.mac_address, d.mac_address),
    last_seen = coalesce(excluded.last_seen, d.last_seen),
    seen_on_mqtt = d.seen_on_mqtt OR excluded.seen_on_mqtt,
    online = CASE WHEN excluded.online_changed_at IS NULL THEN d.online ELSE excluded.online END,
    online_changed_at = CASE WHEN excluded.online_changed_at IS NULL OR excluded.online = d.online
                             THEN d.online_changed_at ELSE excluded.online_changed_at END,
    metadata = CASE WHEN NOT excluded.metadata ? 'reported' THEN d.metadata
                    WHEN jsonb_typeof(d.metadata) = 'object' THEN d.metadata || excluded.metadata
                    ELSE coalesce(nullif(d.metadata, 'null'::jsonb), excluded.metadata) END
  WHERE d.revoked_at IS NULL AND NOT )sql" OTA_SQL_BEING_CUT("d.device_id") R"sql(
    AND (excluded.last_seen IS NOT NULL OR d.online <> excluded.online OR d.seen_on_mqtt < excluded.seen_on_mqtt)
  )sql"};

// A statement of its own, after the locks are held: it sees what the previous holder of each lock committed.
// The id is null for a contact that does not register: such a row may have been made after the registration
// looked, so nothing would lock it. An attempt that is open and ours has a deadline.
constexpr Statement kLoad = {
    "load_devices",
    "SELECT " OTA_SQL_DEVICE_COLUMNS ", other.*, " OTA_SQL_BEING_CUT(
        "q.device_id") ", " OTA_SQL_CATALOG_REVISION
                       " FROM unnest($1::text[]) WITH ORDINALITY AS q (device_id, position) "
                       "LEFT JOIN devices d ON d.device_id = q.device_id " OTA_SQL_DEVICE_JOINS
                       " LEFT JOIN LATERAL (SELECT " OTA_SQL_ATTEMPT_COLUMNS
                       " FROM device_update_status a WHERE a.device_id = d.device_id "
                       "AND a.due_at IS NOT NULL AND a.status NOT IN ('success', 'failed', 'rolled_back') "
                       "AND a.attempt_id <> coalesce(o.attempt_id, 0) "
                       "ORDER BY a.started_at DESC LIMIT 1) other ON true ORDER BY q.position"};

constexpr Statement kFindAttempt = {
    "find_attempt", "SELECT " OTA_SQL_ATTEMPT_COLUMNS
                    " FROM device_update_status a WHERE a.attempt_id = $1::bigint AND a.device_id = $2"};

// The earlier service wrote a row per report, so of its rows only a version's newest counts: what came after
// a row tells how that attempt went on.
constexpr Statement kFindAttemptAt = {
    "find_attempt_at", "SELECT " OTA_SQL_ATTEMPT_COLUMNS
                       ", a.id FROM (SELECT *, max(id) OVER () AS newest FROM device_update_status "
                       "WHERE device_id = $1 AND firmware_version = $2) a "
                       "WHERE a.attempt_id IS DISTINCT FROM $3::bigint "
                       "AND (a.attempt_id IS NOT NULL OR a.id = a.newest) "
                       "ORDER BY a.status IN ('success', 'failed', 'rolled_back'), a.id DESC LIMIT 1"};

constexpr Statement kAdoptAttempt = {"adopt_attempt", R"sql(
  UPDATE device_update_status
  SET attempt_id = $2::bigint, status_changed_at = coalesce(status_changed_at, reported_at)
  WHERE id = $1::bigint)sql"};

// Whose a wrong token is has to be known as well: that is another refusal than one of a token of nobody.
constexpr Statement kFindTokens = {"find_tokens", R"sql(
  SELECT device_id, token_sha256 FROM device_tokens WHERE device_id = ANY($1::text[])
  UNION ALL SELECT device_id, token_sha256 FROM device_tokens WHERE token_sha256 = ANY($2::text[]))sql"};

constexpr Statement kFindRevoked = {
    "find_revoked",
    "SELECT serial FROM device_certificates WHERE serial = ANY($1::text[]) AND revoked_at IS NOT NULL"};

void register_and_load(Script& script, const std::vector<Contact>& contacts) {
  ArrayLiteral ids, loaded, models, versions, macs, reported, online, over_mqtt, registers, seen_at;
  std::set<std::string_view> macs_claimed;  // two claims of one MAC in a batch: the first in order has it
  for (const auto& contact : contacts) {
    ids.add(contact.device_id);
    contact.loads ? loaded.add(contact.device_id) : loaded.add_null();
    models.add_or_null(contact.model.value_or(""));
    versions.add_or_null(contact.version.value_or(""));
    const bool claims = !contact.mac.empty() && macs_claimed.insert(contact.mac).second;
    macs.add_or_null(claims ? contact.mac : std::string());
    reported.add_or_null(contact.reported_json);
    contact.online ? online.add(*contact.online) : online.add_null();
    over_mqtt.add(contact.over_mqtt);
    registers.add(contact.registers);
    seen_at.add(contact.seen_at);
  }
  script.execute(kRegister, {ids.str(), models.str(), versions.str(), macs.str(), reported.str(),
                             online.str(), over_mqtt.str(), registers.str(), seen_at.str()});
  script.execute(kLoad, {loaded.str()});
}

// A writer's other devices wait meanwhile.
ConnectOptions impatient(ConnectOptions options) {
  constexpr int kLockTimeoutMs = 500;
  options.lock_timeout_ms = std::min(options.lock_timeout_ms, kLockTimeoutMs);
  return options;
}

// The last columns of kLoad, behind those of the device.
struct Tail {
  explicit Tail(const pqxx::row& row) {
    const int end = static_cast<int>(row.size());
    const int attempt = end - 2 - kAttemptColumns;
    if (!row[attempt].is_null()) other_attempt = read_attempt(row, attempt);
    is_being_cut = flag_of(row[end - 2]);
    catalog_revision = number_of(row[end - 1]);
  }
  std::optional<fleet::Attempt> other_attempt;
  bool is_being_cut = false;
  std::int64_t catalog_revision = 0;
};

}  // namespace

struct PgUpdateStore::State {
  explicit State(const ConnectOptions& options) : session(impatient(options), kWriterSettings) {}

  // Runs work that belongs to the open transaction; on an error the transaction is given up.
  template <class Work>
  auto inside(Work work) {
    auto result = session.run(work);
    if (!result) give_up();
    return result;
  }

  void give_up() {
    if (!in_transaction) return;
    in_transaction = false;
    if (!session.is_open()) return;  // a lost connection has taken its transaction along
    (void)session.run([](Session& s) { Script(s).add("ROLLBACK").run(); });
  }

  Session session;
  AttemptIds attempt_ids;
  bool in_transaction = false;
  std::int64_t catalog_revision = 0;
};

PgUpdateStore::PgUpdateStore(const ConnectOptions& options) : state_(std::make_unique<State>(options)) {}
PgUpdateStore::~PgUpdateStore() = default;

Expected<fleet::DeviceTokens> PgUpdateStore::find_tokens(const std::vector<fleet::DeviceToken>& shown) {
  state_->give_up();
  return state_->session.run([&](Session& session) {
    session.drop_if_dead();
    ArrayLiteral ids, digests;
    for (const auto& token : shown) {
      ids.add(token.device_id);
      digests.add(fleet::to_hex(token.digest));
    }
    fleet::DeviceTokens stored;
    for (const auto& row : Script(session).execute(kFindTokens, {ids.str(), digests.str()}).run()) {
      // What only psql can have made wrong is nobody's token.
      if (const auto digest = fleet::digest_from_hex(text_of(row[1])))
        stored.emplace(text_of(row[0]), *digest);
    }
    return stored;
  });
}

Expected<std::set<std::string>> PgUpdateStore::find_revoked(const std::vector<std::string>& serials) {
  state_->give_up();
  return state_->session.run([&](Session& session) {
    session.drop_if_dead();
    ArrayLiteral wanted;
    for (const auto& serial : serials) wanted.add(serial);
    std::set<std::string> revoked;
    for (const auto& row : Script(session).execute(kFindRevoked, {wanted.str()}).run()) {
      revoked.insert(text_of(row[0]));
    }
    return revoked;
  });
}

Expected<std::vector<Device>> PgUpdateStore::begin(const std::vector<Contact>& contacts,
                                                   fleet::LockWait wait) {
  state_->give_up();
  return state_->inside([&](Session& session) {
    session.drop_if_dead();
    (void)session.connection();
    state_->in_transaction = true;
    std::vector<Device> devices;
    devices.reserve(contacts.size());
    Script script(session);
    script.add("BEGIN");
    if (wait == fleet::LockWait::brief) script.add("SET LOCAL lock_timeout = '50ms'");
    register_and_load(script, contacts);
    for (const auto& row : script.run()) {
      devices.push_back(read_device(row));
      devices.back().id = contacts[devices.size() - 1].device_id;  // no row was loaded for a presence
      Tail tail(row);
      devices.back().other_attempt = std::move(tail.other_attempt);
      devices.back().revoked = devices.back().revoked || tail.is_being_cut;
      state_->catalog_revision = tail.catalog_revision;
    }
    return devices;
  });
}

std::int64_t PgUpdateStore::catalog_revision() const {
  return state_->catalog_revision;
}

Expected<std::optional<fleet::Attempt>> PgUpdateStore::find_attempt(const std::string& device_id,
                                                                    std::int64_t attempt_id) {
  return state_->inside([&](Session& session) -> std::optional<fleet::Attempt> {
    const auto rows = Script(session).execute(kFindAttempt, {std::to_string(attempt_id), device_id}).run();
    if (rows.empty()) return std::nullopt;
    return read_attempt(rows[0], 0);
  });
}

Expected<std::optional<fleet::Attempt>> PgUpdateStore::find_attempt_at(const std::string& device_id,
                                                                       const std::string& version,
                                                                       std::int64_t except) {
  return state_->inside([&](Session& session) -> std::optional<fleet::Attempt> {
    const auto rows =
        Script(session).execute(kFindAttemptAt, {device_id, version, std::to_string(except)}).run();
    if (rows.empty()) return std::nullopt;
    auto attempt = read_attempt(rows[0], 0);
    if (attempt.id == 0) {
      attempt.id = state_->attempt_ids.next(session);
      Script(session)
          .execute(kAdoptAttempt, {text_of(rows[0][kAttemptColumns]), std::to_string(attempt.id)})
          .run();
    }
    return attempt;
  });
}

Expected<int> PgUpdateStore::free_slots(std::int64_t rollout_id, const fleet::PushRate& rate) {
  return state_->inside([&](Session& session) { return sql::free_slots(session, rollout_id, rate); });
}

Expected<std::int64_t> PgUpdateStore::next_attempt_id() {
  return state_->inside([&](Session& session) { return state_->attempt_ids.next(session); });
}

Expected<void> PgUpdateStore::commit(const fleet::BatchChanges& changes) {
  if (!state_->in_transaction) return fleet::fail(fleet::ErrorKind::internal, "commit without a transaction");
  auto committed = state_->inside([&](Session& session) {
    Script script(session);
    add_changes(script, changes);
    script.commit();
  });
  state_->in_transaction = false;
  return committed;
}

void PgUpdateStore::rollback() {
  state_->give_up();
}

}  // namespace ota::sql
