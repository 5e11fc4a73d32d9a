#include "sql/connection_pool.hpp"

#include <condition_variable>
#include <mutex>
#include <vector>

#include "sql/session.hpp"

namespace ota::sql {
namespace {

// Who asks here asks seldom and for very different parts of large tables, a page at the beginning of a list
// or at its end: a plan for the values at hand is worth its millisecond.
constexpr auto kPoolSettings = "SET plan_cache_mode = force_custom_plan";

}  // namespace

struct ConnectionPool::State {
  ConnectOptions options;
  std::chrono::milliseconds wait_max;
  std::mutex mutex;
  std::condition_variable returned;
  std::vector<std::unique_ptr<Session>> idle;  // the last one used is taken first
};

ConnectionPool::ConnectionPool(const ConnectOptions& options, std::size_t size,
                               std::chrono::milliseconds wait_max)
    : state_(std::make_unique<State>()) {
  state_->options = options;
  state_->wait_max = wait_max;
  for (std::size_t i = 0; i < size; ++i)
    state_->idle.push_back(std::make_unique<Session>(options, kPoolSettings));
}

ConnectionPool::~ConnectionPool() = default;

const ConnectOptions& ConnectionPool::options() const {
  return state_->options;
}

ConnectionPool::Lease ConnectionPool::take() {
  std::unique_lock lock(state_->mutex);
  if (!state_->returned.wait_for(lock, state_->wait_max, [this] { return !state_->idle.empty(); })) {
    return Lease(this, nullptr);
  }
  auto session = std::move(state_->idle.back());
  state_->idle.pop_back();
  return Lease(this, std::move(session));
}

void ConnectionPool::give_back(std::unique_ptr<Session> session) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->idle.push_back(std::move(session));
  }
  state_->returned.notify_one();
}

ConnectionPool::Lease::Lease(ConnectionPool* pool, std::unique_ptr<Session> session)
    : pool_(pool), session_(std::move(session)) {}

ConnectionPool::Lease::Lease(Lease&& other) noexcept = default;

ConnectionPool::Lease::~Lease() {
  if (session_) pool_->give_back(std::move(session_));
}

}  // namespace ota::sql
