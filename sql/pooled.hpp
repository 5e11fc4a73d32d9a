#pragma once

#include "sql/connection_pool.hpp"
#include "sql/session.hpp"

namespace ota::sql {

/// Runs `work(session, transaction)` in a transaction on a connection of the pool and commits it.
template <class Work>
auto in_transaction(ConnectionPool& pool, Work work)
    -> fleet::Expected<std::invoke_result_t<Work, Session&, pqxx::work&>> {
  auto lease = pool.take();
  if (!lease) {
    return fleet::fail(fleet::ErrorKind::unavailable,
                       "all connections to the database are busy; try again in a moment");
  }
  const auto once = [&work](Session& session) {
    pqxx::work transaction(session.connection());
    if constexpr (std::is_void_v<std::invoke_result_t<Work, Session&, pqxx::work&>>) {
      work(session, transaction);
      transaction.commit();
    } else {
      auto result = work(session, transaction);
      transaction.commit();
      return result;
    }
  };
  lease.session().drop_if_dead();
  return lease.session().run(once);
}

}  // namespace ota::sql
