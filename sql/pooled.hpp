#pragma once

#include "sql/connection_pool.hpp"
#include "sql/transaction.hpp"

namespace ota::sql {

/// The same on a connection of the pool.
template <class Work>
auto in_transaction(ConnectionPool& pool, Work work)
    -> fleet::Expected<std::invoke_result_t<Work, Session&, pqxx::work&>> {
  auto lease = pool.take();
  if (!lease) {
    return fleet::fail(fleet::ErrorKind::unavailable,
                       "all connections to the database are busy; try again in a moment");
  }
  return in_transaction(lease.session(), std::move(work));
}

}  // namespace ota::sql
