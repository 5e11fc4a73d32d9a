#include "sql/push_store.hpp"

#include <algorithm>

#include "sql/batch_rows.hpp"
#include "sql/device_rows.hpp"
#include "sql/parameters.hpp"
#include "sql/session.hpp"

namespace ota::sql {
namespace {

using fleet::Device;
using fleet::Expected;

constexpr Statement kOpenRequests = {
    "open_requests",
    "SELECT model, requested FROM push_requests WHERE done < requested ORDER BY model COLLATE \"C\""};

constexpr Statement kFinishRequest = {
    "finish_request", "UPDATE push_requests SET done = $2::bigint WHERE model = $1 AND done < $2::bigint"};

constexpr Statement kRequestPush = {"request_push",
                                    "UPDATE push_requests SET requested = requested + 1 WHERE model = $1"};

// Locked in the order of the ids, as every batch locks. The locked rows are read by a second statement, which
// sees what the previous holders of the locks committed.
constexpr Statement kLockPage = {"lock_page", R"sql(
  SELECT d.device_id FROM devices d
  WHERE d.device_model = $1 AND d.device_id COLLATE "C" > $2
    AND (d.seen_on_mqtt OR (SELECT o.open FROM offers o WHERE o.device_id = d.device_id))
  ORDER BY d.device_id COLLATE "C" LIMIT $3::integer
  FOR NO KEY UPDATE OF d)sql"};

constexpr Statement kLoadPage = {"load_page",
                                 "SELECT " OTA_SQL_DEVICE_COLUMNS
                                 " FROM unnest($1::text[]) AS q (device_id) "
                                 "JOIN devices d ON d.device_id = q.device_id " OTA_SQL_DEVICE_JOINS
                                 " WHERE d.device_model = $2 ORDER BY d.device_id COLLATE \"C\""};

constexpr Statement kUnpublished = {"unpublished_offers", R"sql(
  SELECT o.device_id, d.current_firmware_version,
         )sql" OTA_SQL_OFFER_COLUMNS R"sql(
  FROM offers o JOIN devices d ON d.device_id = o.device_id
  WHERE o.wanted_revision <> o.published_revision AND o.device_id COLLATE "C" > $2 AND d.seen_on_mqtt
    AND o.wanted_at < 'epoch'::timestamptz + $1::bigint * interval '1 microsecond'
  ORDER BY o.device_id COLLATE "C" LIMIT $3::integer)sql"};

// The inner query locks in order of the ids; the update then meets no lock of another batch.
constexpr Statement kMarkPublished = {"mark_published", R"sql(
  WITH locked AS MATERIALIZED (
    SELECT o.device_id, p.revision
    FROM unnest($1::text[], $2::bigint[]) AS p (device_id, revision)
    JOIN offers o ON o.device_id = p.device_id
    ORDER BY o.device_id COLLATE "C" FOR NO KEY UPDATE OF o)
  UPDATE offers o SET published_revision = CASE WHEN locked.revision < o.published_revision
                                                THEN o.wanted_revision - 1 ELSE locked.revision END
  FROM locked WHERE o.device_id = locked.device_id AND o.published_revision <> locked.revision)sql"};

// One page is small against the tables; see update_store.cpp.
constexpr auto kPushSettings =
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";

}  // namespace

struct PgPushStore::State {
  explicit State(const ConnectOptions& options) : session(options, kPushSettings) {}

  void give_up() {
    if (!in_transaction) return;
    in_transaction = false;
    if (!session.is_open()) return;
    (void)session.run([](Session& s) { Script(s).add("ROLLBACK").run(); });
  }

  // One statement, one transaction.
  template <class Work>
  auto once(Work work) {
    give_up();
    return session.run([&](Session& s) {
      s.drop_if_dead();
      return work(s);
    });
  }

  Session session;
  AttemptIds attempt_ids;
  bool in_transaction = false;
};

PgPushStore::PgPushStore(const ConnectOptions& options) : state_(std::make_unique<State>(options)) {}
PgPushStore::~PgPushStore() = default;

Expected<std::vector<fleet::PushRequest>> PgPushStore::open_requests() {
  return state_->once([](Session& session) {
    std::vector<fleet::PushRequest> requests;
    for (const auto& row : Script(session).execute(kOpenRequests, {}).run())
      requests.push_back({text_of(row[0]), number_of(row[1])});
    return requests;
  });
}

Expected<void> PgPushStore::finish_request(const fleet::PushRequest& request) {
  return state_->once([&](Session& session) {
    Script(session).execute(kFinishRequest, {request.model, std::to_string(request.revision)}).run();
  });
}

Expected<void> PgPushStore::request_push(const std::string& model) {
  return state_->once([&](Session& session) { Script(session).execute(kRequestPush, {model}).run(); });
}

Expected<std::vector<Device>> PgPushStore::load_page(const std::string& model, const std::string& after,
                                                     int count_max) {
  state_->give_up();
  auto page = state_->session.run([&](Session& session) {
    session.drop_if_dead();
    (void)session.connection();
    state_->in_transaction = true;
    const auto locked =
        Script(session).add("BEGIN").execute(kLockPage, {model, after, std::to_string(count_max)}).run();
    ArrayLiteral ids;
    for (const auto& row : locked) ids.add(text_of(row[0]));
    std::vector<Device> devices;
    devices.reserve(locked.size());
    const auto rows = Script(session).execute(kLoadPage, {ids.str(), model}).run();
    for (const auto& row : rows) devices.push_back(read_device(row));
    return devices;
  });
  if (!page) state_->give_up();
  return page;
}

Expected<void> PgPushStore::save_page(const fleet::BatchChanges& changes) {
  if (!state_->in_transaction) return fleet::fail(fleet::ErrorKind::internal, "save_page without load_page");
  auto saved = state_->session.run([&](Session& session) {
    Script script(session);
    add_changes(script, changes);
    script.commit();
  });
  if (!saved) state_->give_up();
  state_->in_transaction = false;
  return saved;
}

Expected<std::int64_t> PgPushStore::next_attempt_id() {
  return state_->session.run([&](Session& session) { return state_->attempt_ids.next(session); });
}

Expected<int> PgPushStore::free_slots(std::int64_t rollout_id, const fleet::PushRate& rate) {
  auto free =
      state_->session.run([&](Session& session) { return sql::free_slots(session, rollout_id, rate); });
  if (!free) state_->give_up();
  return free;
}

Expected<std::vector<fleet::WantedOffer>> PgPushStore::unpublished(fleet::Time wanted_before,
                                                                   const std::string& after, int count_max) {
  return state_->once([&](Session& session) {
    const auto before = std::to_string(wanted_before.time_since_epoch().count());
    const auto rows = Script(session).execute(kUnpublished, {before, after, std::to_string(count_max)}).run();
    std::vector<fleet::WantedOffer> offers;
    offers.reserve(rows.size());
    for (const auto& row : rows) offers.push_back({text_of(row[0]), text_of(row[1]), read_offer(row, 2)});
    return offers;
  });
}

Expected<void> PgPushStore::mark_published(const std::vector<fleet::PublishedOffer>& published) {
  if (published.empty()) return {};
  auto in_order = published;
  // By device, and the highest revision first: a device acknowledged twice counts once.
  std::sort(in_order.begin(), in_order.end(), [](const auto& left, const auto& right) {
    return left.device_id != right.device_id ? left.device_id < right.device_id
                                             : left.revision > right.revision;
  });
  const auto same_device = [](const auto& left, const auto& right) {
    return left.device_id == right.device_id;
  };
  in_order.erase(std::unique(in_order.begin(), in_order.end(), same_device), in_order.end());
  return state_->once([&](Session& session) {
    ArrayLiteral devices, revisions;
    for (const auto& [device_id, revision] : in_order) {
      devices.add(device_id);
      revisions.add(revision);
    }
    Script(session).execute(kMarkPublished, {devices.str(), revisions.str()}).run();
  });
}

}  // namespace ota::sql
