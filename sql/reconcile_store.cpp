#include <algorithm>

#include "sql/device_rows.hpp"
#include "sql/parameters.hpp"
#include "sql/push_store.hpp"
#include "sql/session.hpp"
#include "sql/transaction.hpp"

namespace ota::sql {
namespace {

using fleet::Expected;

constexpr Statement kForget = {"forget_seen", "TRUNCATE retained_offers_seen"};

constexpr Statement kAddSeen = {"add_seen", R"sql(
  INSERT INTO retained_offers_seen (device_id, attempt_id)
  SELECT DISTINCT ON (s.device_id) s.device_id, s.attempt_id
  FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS s (device_id, attempt_id, position)
  ORDER BY s.device_id, s.position DESC
  ON CONFLICT (device_id) DO UPDATE SET attempt_id = excluded.attempt_id)sql"};

// In pieces: a broker that has lost its store misses every offer, and nobody should wait for all of their
// rows.
constexpr int kMarkMax = 5000;
constexpr Statement kMarkMissing = {"mark_missing", R"sql(
  WITH missing AS MATERIALIZED (
    SELECT o.device_id
    FROM offers o JOIN devices d ON d.device_id = o.device_id
    LEFT JOIN retained_offers_seen s ON s.device_id = o.device_id COLLATE "C"
    WHERE o.open AND NOT o.taken AND o.wanted_revision = o.published_revision AND d.seen_on_mqtt
      AND s.attempt_id IS DISTINCT FROM o.attempt_id AND o.device_id COLLATE "C" > $1
    ORDER BY o.device_id COLLATE "C" LIMIT $2::integer FOR NO KEY UPDATE OF o)
  UPDATE offers o SET published_revision = o.wanted_revision - 1
  FROM missing WHERE o.device_id = missing.device_id AND o.wanted_revision = o.published_revision
  RETURNING o.device_id)sql"};

constexpr Statement kStale = {"stale_offers", R"sql(
  SELECT s.device_id
  FROM retained_offers_seen s
  LEFT JOIN offers o ON o.device_id = s.device_id COLLATE "default"
  WHERE s.device_id > $1 COLLATE "C" AND (o.device_id IS NULL OR NOT o.open OR o.taken)
  ORDER BY s.device_id LIMIT $2::integer)sql"};

}  // namespace

struct PgReconcileStore::State {
  explicit State(const ConnectOptions& options) : session(options) {}

  template <class... Args>
  auto once(const Statement& statement, Args... args) {
    return in_transaction(session,
                          [&](Session& s, pqxx::work& work) { return s.execute(work, statement, args...); });
  }

  Session session;
};

PgReconcileStore::PgReconcileStore(const ConnectOptions& options)
    : state_(std::make_unique<State>(options)) {}
PgReconcileStore::~PgReconcileStore() = default;

Expected<void> PgReconcileStore::begin_reading() {
  return state_->once(kForget).map([](const pqxx::result&) {});
}

Expected<void> PgReconcileStore::add_seen(const std::vector<fleet::RetainedOffer>& seen) {
  if (seen.empty()) return {};
  return in_transaction(state_->session, [&](Session& session, pqxx::work& work) {
    ArrayLiteral devices, attempts;  // refuses a NUL
    for (const auto& [device_id, attempt_id] : seen) {
      devices.add(device_id);
      attempts.add(attempt_id);
    }
    session.execute(work, kAddSeen, devices.str(), attempts.str());
  });
}

Expected<std::int64_t> PgReconcileStore::mark_missing() {
  std::int64_t marked = 0;
  std::string after;
  while (true) {
    const auto rows = state_->once(kMarkMissing, after, kMarkMax);
    if (!rows) return tl::unexpected(rows.error());
    for (const auto& row : *rows) after = std::max(after, text_of(row[0]));
    marked += static_cast<std::int64_t>(rows->size());
    if (rows->size() < kMarkMax) return marked;
  }
}

Expected<std::vector<std::string>> PgReconcileStore::stale(const std::string& after, int count_max) {
  return state_->once(kStale, after, count_max).map([](const pqxx::result& rows) {
    std::vector<std::string> ids;
    for (const auto& row : rows) ids.push_back(text_of(row[0]));
    return ids;
  });
}

}  // namespace ota::sql
