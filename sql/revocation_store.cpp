#include "sql/certificate_store.hpp"
#include "sql/device_rows.hpp"
#include "sql/parameters.hpp"
#include "sql/transaction.hpp"

namespace ota::sql {
namespace {

using fleet::Expected;

// A day later than needed, for clocks that differ.
constexpr Statement kRevoked = {"revoked_certificates",
                                "SELECT serial, " OTA_SQL_MICROSECONDS("revoked_at") R"sql(
  FROM device_certificates
  WHERE revoked_at IS NOT NULL AND coalesce(not_after, 'infinity') > now() - interval '1 day'
  ORDER BY serial COLLATE "C")sql"};

// One of ours that somebody else has put on the list is revoked too.
constexpr Statement kAdopt = {"adopt_revocations", R"sql(
  INSERT INTO device_certificates AS c (serial, revoked_at, revoked_reason, cut_at)
  SELECT e.serial, )sql" OTA_SQL_TIME("e.revoked_at") R"sql(, 'found on the revocation list', now()
  FROM unnest($1::text[], $2::bigint[]) AS e (serial, revoked_at)
  ON CONFLICT (serial) DO UPDATE SET revoked_at = excluded.revoked_at, revoked_reason = excluded.revoked_reason
  WHERE c.revoked_at IS NULL)sql"};

constexpr Statement kUncut = {"uncut_devices", R"sql(
  (SELECT serial, device_id, 0::bigint FROM device_certificates
   WHERE revoked_at IS NOT NULL AND cut_at IS NULL ORDER BY id LIMIT $1::integer)
  UNION ALL (SELECT '', device_id, id FROM device_cuts ORDER BY id LIMIT $1::integer))sql"};

constexpr Statement kMarkCut = {"mark_cut", R"sql(
  UPDATE device_certificates SET cut_at = now() WHERE serial = ANY($1::text[]) AND cut_at IS NULL)sql"};
constexpr Statement kEndOrders = {"end_cut_orders", "DELETE FROM device_cuts WHERE id = ANY($1::bigint[])"};

}  // namespace

struct PgRevocationStore::State {
  explicit State(const ConnectOptions& options) : session(options) {}
  Session session;
};

PgRevocationStore::PgRevocationStore(const ConnectOptions& options)
    : state_(std::make_unique<State>(options)) {}
PgRevocationStore::~PgRevocationStore() = default;

Expected<std::vector<fleet::RevokedSerial>> PgRevocationStore::revoked() {
  return in_transaction(state_->session, [](Session& session, pqxx::work& work) {
    std::vector<fleet::RevokedSerial> entries;
    for (const auto& row : session.execute(work, kRevoked)) {
      entries.push_back({text_of(row[0]), time_from(number_of(row[1]))});
    }
    return entries;
  });
}

Expected<void> PgRevocationStore::adopt(const std::vector<fleet::RevokedSerial>& entries) {
  return in_transaction(state_->session, [&](Session& session, pqxx::work& work) {
    ArrayLiteral serials, times;
    for (const auto& entry : entries) {
      serials.add(entry.serial);
      times.add(entry.revoked_at);
    }
    session.execute(work, kAdopt, serials.str(), times.str());
  });
}

Expected<std::vector<fleet::UncutDevice>> PgRevocationStore::uncut(int count_max) {
  return in_transaction(state_->session, [&](Session& session, pqxx::work& work) {
    std::vector<fleet::UncutDevice> devices;
    for (const auto& row : session.execute(work, kUncut, count_max)) {
      devices.push_back({text_of(row[0]), text_of(row[1]), number_of(row[2])});
    }
    return devices;
  });
}

Expected<void> PgRevocationStore::mark_cut(const std::vector<fleet::UncutDevice>& cut) {
  return in_transaction(state_->session, [&](Session& session, pqxx::work& work) {
    ArrayLiteral serials, orders;
    for (const auto& device : cut) {
      if (device.order == 0) {
        serials.add(device.serial);
      } else {
        orders.add(device.order);
      }
    }
    session.execute(work, kMarkCut, serials.str());
    session.execute(work, kEndOrders, orders.str());
  });
}

}  // namespace ota::sql
