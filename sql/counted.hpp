#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "sql/device_rows.hpp"
#include "sql/session.hpp"

namespace ota::sql {

/// The figures of a count over large tables, kept for as long as nothing at all is committed to the cluster:
/// then PostgreSQL's own snapshot is the same, also where other bridges or people write. Once a minute they
/// are counted all the same, since some depend on the time. Belongs to one thread at a time.
template <class Figures>
class Counted {
 public:
  /// The figures by `count()`, which runs in `work`. `of`: what is counted, where that differs.
  template <class Count>
  const Figures& get(Session& session, pqxx::transaction_base& work, Count count,
                     const std::string& of = {}) {
    // Before the count: what is committed in between shows the next time.
    const auto state = text_of(session.execute(work, kState)[0][0]) + " " + of;
    const auto now = Clock::now();
    if (figures_ && state == state_ && now < again_at_) return *figures_;
    figures_ = count();
    state_ = state;
    again_at_ = now + kAgainAfter;
    return *figures_;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr auto kAgainAfter = std::chrono::minutes(1);
  // The start: another server may have come to the same numbers by another way.
  static constexpr Statement kState = {
      "state_of_cluster", "SELECT pg_current_snapshot()::text || ' ' || pg_postmaster_start_time()::text"};

  std::optional<Figures> figures_;
  std::string state_;
  Clock::time_point again_at_{};
};

}  // namespace ota::sql
