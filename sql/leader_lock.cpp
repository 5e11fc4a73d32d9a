#include "sql/link.hpp"
#include "sql/monitor_store.hpp"

namespace ota::sql {

struct PgLeaderLock::State {
  explicit State(const ConnectOptions& options) : link(options) {}
  Link link;
  bool leads = false;  // on the present connection
};

PgLeaderLock::PgLeaderLock(const ConnectOptions& options) : state_(std::make_unique<State>(options)) {}
PgLeaderLock::~PgLeaderLock() = default;

bool PgLeaderLock::try_lead() {
  const auto deadline = Link::Clock::now() + std::chrono::seconds(1);
  const auto connected = state_->link.ensure(deadline);
  if (!connected) return state_->leads = false;
  if (*connected) state_->leads = false;
  // Who leads only asks whether the connection, and with it the lock, still lives.
  const auto answer = state_->link.query(
      state_->leads ? "SELECT NOT pg_is_in_recovery()"
                    : "SELECT pg_try_advisory_lock(" + std::to_string(kLeaderLockKey) + ")",
      deadline);
  state_->leads = answer && *answer == "t";
  if (!answer || (state_->leads && !state_->link.is_open())) state_->link.close();
  return state_->leads;
}

}  // namespace ota::sql
