#pragma once

#include "sql/session.hpp"

namespace ota::sql {

/// Runs `work(session, transaction)` in a transaction of its own and commits it.
template <class Work>
auto in_transaction(Session& session, Work work)
    -> fleet::Expected<std::invoke_result_t<Work, Session&, pqxx::work&>> {
  session.drop_if_dead();
  return session.run([&work](Session& s) {
    pqxx::work transaction(s.connection());
    if constexpr (std::is_void_v<std::invoke_result_t<Work, Session&, pqxx::work&>>) {
      work(s, transaction);
      transaction.commit();
    } else {
      auto result = work(s, transaction);
      transaction.commit();
      return result;
    }
  });
}

}  // namespace ota::sql
