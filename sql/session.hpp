#pragma once

#include <chrono>
#include <memory>
#include <pqxx/pqxx>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "fleet/expected.hpp"
#include "sql/connect_options.hpp"
#include "sql/errors.hpp"

namespace ota::sql {

/// A statement with its name among the prepared ones of a connection. Both must be literals.
struct Statement {
  const char* name;
  const char* sql;
};

/// One connection that is made when needed, discarded when broken and made again by the next call, at most
/// once a second. Belongs to one thread at a time. Internal to sql/: it shows libpqxx.
class Session {
 public:
  /// `settings`: further SET statements for each new connection, or empty.
  explicit Session(ConnectOptions options, std::string settings = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// The live connection. Throws pqxx::broken_connection or Refusal when there is none.
  [[nodiscard]] pqxx::connection& connection();
  void drop() noexcept;
  /// Discards a connection the server has closed while it was idle, so that a restart of PostgreSQL does not
  /// cost the next piece of work. Only between transactions.
  void drop_if_dead() noexcept;
  [[nodiscard]] bool is_open() const { return connection_ && connection_->is_open(); }

  /// Executes a prepared statement in `transaction`, preparing it on first use of this connection. Arguments:
  /// std::string, integers, bool, or const char* where nullptr is NULL.
  template <class... Args>
  pqxx::result execute(pqxx::transaction_base& transaction, const Statement& statement, Args&&... args) {
    prepare(statement);
#if PQXX_VERSION_MAJOR > 7 || (PQXX_VERSION_MAJOR == 7 && PQXX_VERSION_MINOR >= 10)
    return transaction.exec(pqxx::prepped{statement.name}, pqxx::params{std::forward<Args>(args)...});
#else
    return transaction.exec_prepared(statement.name, std::forward<Args>(args)...);
#endif
  }

  /// Prepares `statement` for execute(), unless it is already.
  void prepare(const Statement& statement);
  /// The same by SQL, for EXECUTE: libpqxx 6 puts its own preparing off until its own executing. No
  /// transaction object may be alive; an open transaction on the server is fine. A statement is for one of
  /// the two ways.
  void prepare_for_scripts(const Statement& statement);

  /// Runs `work(session)` and turns every exception into an error.
  template <class Work>
  auto run(Work&& work) -> fleet::Expected<std::invoke_result_t<Work, Session&>> {
    try {
      if constexpr (std::is_void_v<std::invoke_result_t<Work, Session&>>) {
        work(*this);
        return {};
      } else {
        return work(*this);
      }
    } catch (...) {
      return tl::unexpected<fleet::Error>(end_with_current_exception());
    }
  }

  /// Inside a catch block: the error, after discarding the connection where it is of no more use.
  [[nodiscard]] fleet::Error end_with_current_exception();

 private:
  ConnectOptions options_;
  std::string settings_;
  std::unique_ptr<pqxx::connection> connection_;
  std::set<std::string_view> prepared_;
  std::chrono::steady_clock::time_point next_attempt_{};
  // Also what is said when a connection is lost within a second of its making.
  fleet::Error last_error_{fleet::ErrorKind::unavailable, "PostgreSQL is away", kAwayForStrangers};
};

}  // namespace ota::sql
