#include "sql/migrate.hpp"

#include <map>

#include "sql/device_rows.hpp"
#include "sql/link.hpp"
#include "sql/migrations.hpp"
#include "sql/session.hpp"

namespace ota::sql {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

constexpr auto kCreateTable = R"sql(
  CREATE TABLE IF NOT EXISTS schema_migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()))sql";

constexpr Statement kHash = {"hash_migration", "SELECT encode(sha256(convert_to($1, 'UTF8')), 'hex')"};
constexpr Statement kRecord = {
    "record_migration", "INSERT INTO schema_migrations (number, name, sha256) VALUES ($1::integer, $2, $3)"};

struct Applied {
  std::string name;
  std::string sha256;
};

std::map<int, Applied> read_applied(pqxx::work& work) {
  std::map<int, Applied> applied;
  if (!flag_of(work.exec("SELECT to_regclass('schema_migrations') IS NOT NULL")[0][0])) return applied;
  for (const auto& row : work.exec("SELECT number, name, sha256 FROM schema_migrations")) {
    applied[row[0].as<int>()] = {text_of(row[1]), text_of(row[2])};
  }
  return applied;
}

std::string hash_of(Session& session, pqxx::work& work, const Migration& migration) {
  return text_of(session.execute(work, kHash, migration.text)[0][0]);
}

// The migrations that are still to be applied. Throws `conflict` when database and program have parted ways.
std::vector<Migration> pending(Session& session) {
  pqxx::work work(session.connection());
  auto applied = read_applied(work);
  std::vector<Migration> missing;
  for (const auto& migration : embedded_migrations()) {
    const auto found = applied.find(migration.number);
    if (found == applied.end()) {
      missing.push_back(migration);
      continue;
    }
    if (found->second.sha256 != hash_of(session, work, migration)) {
      throw Refusal(ErrorKind::conflict,
                    "migration " + migration.name +
                        " was applied to this database with other contents than this program "
                        "has; run the version of ota-bridge that the database was made with");
    }
    applied.erase(found);
  }
  if (!applied.empty()) {
    throw Refusal(ErrorKind::conflict, "the database is newer than this program: it has migration " +
                                           applied.rbegin()->second.name + "; run a newer ota-bridge");
  }
  work.commit();
  return missing;
}

void apply(Session& session, const Migration& migration) {
  pqxx::work work(session.connection());
  work.exec(migration.text);
  session.execute(work, kRecord, migration.number, migration.name, hash_of(session, work, migration));
  work.commit();
}

// The name of the migration that is being applied goes with its error.
void apply_all(Session& session, const std::vector<Migration>& migrations) {
  for (const auto& migration : migrations) {
    try {
      apply(session, migration);
    } catch (const pqxx::sql_error& e) {
      const auto failure = failure_of_current_exception();
      const bool forbidden = std::string(e.sqlstate()) == "42501";
      throw Refusal(forbidden ? ErrorKind::conflict : failure.error.kind,
                    "migration " + migration.name + ": " + failure.error.message +
                        (forbidden ? " (run `ota-bridge migrate` with the owner's credentials)" : ""));
    }
  }
}

}  // namespace

Expected<int> migrate(const ConnectOptions& options) {
  auto patient = options;
  patient.statement_timeout_ms = 0;  // building an index over millions of rows takes its time
  patient.lock_timeout_ms = 120'000;
  Session session(patient);
  return session.run([](Session& s) {
    if (pending(s).empty()) return 0;
    {
      // Held until the connection closes, at the end of migrate().
      pqxx::nontransaction lock(s.connection());
      lock.exec("SELECT pg_advisory_lock(" + std::to_string(kMigrationLockKey) + ")");
      try {
        lock.exec(kCreateTable);
      } catch (const pqxx::insufficient_privilege& e) {
        throw Refusal(ErrorKind::conflict,
                      std::string("the database has no tables yet and this role may not make "
                                  "them; run `ota-bridge migrate` with the owner's credentials: ") +
                          e.what());
      }
    }
    const auto missing = pending(s);  // another bridge may have been faster
    apply_all(s, missing);
    return static_cast<int>(missing.size());
  });
}

}  // namespace ota::sql
