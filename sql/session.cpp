#include "sql/session.hpp"

#include <poll.h>

#include "sql/conninfo.hpp"

namespace ota::sql {
namespace {

// libpqxx 6 would reconnect silently, without our settings and in the middle of a transaction; 7 never does.
void forbid_silent_reconnect([[maybe_unused]] pqxx::connection& connection) {
#if PQXX_VERSION_MAJOR < 7
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  connection.inhibit_reactivation(true);
#pragma GCC diagnostic pop
#endif
}

}  // namespace

Session::Session(ConnectOptions options, std::string settings)
    : options_(std::move(options)), settings_(std::move(settings)) {}

Session::~Session() = default;

pqxx::connection& Session::connection() {
  if (connection_ && !connection_->is_open()) drop();
  if (connection_) return *connection_;

  const auto now = std::chrono::steady_clock::now();
  if (now < next_attempt_) throw Refusal(last_error_);
  next_attempt_ = now + std::chrono::seconds(1);
  try {
    auto fresh = std::make_unique<pqxx::connection>(conninfo_of(options_));
    forbid_silent_reconnect(*fresh);
    pqxx::nontransaction setup(*fresh);
    setup.exec(session_settings(options_) + (settings_.empty() ? "" : "; " + settings_));
    setup.commit();
    connection_ = std::move(fresh);
  } catch (...) {
    last_error_ = {fleet::ErrorKind::unavailable, failure_of_current_exception().error.message,
                   kAwayForStrangers};
    throw Refusal(last_error_);
  }
  return *connection_;
}

void Session::drop() noexcept {
  prepared_.clear();
  connection_.reset();
}

void Session::drop_if_dead() noexcept {
  if (!connection_) return;
  // Nothing is due on an idle connection; what stands there to be read is the server's farewell.
  pollfd idle{connection_->sock(), POLLIN | POLLRDHUP, 0};
  if (!is_open() || poll(&idle, 1, 0) != 0) drop();
}

void Session::prepare(const Statement& statement) {
  if (prepared_.count(statement.name) != 0) return;
  connection().prepare(statement.name, statement.sql);
  prepared_.insert(statement.name);
}

void Session::prepare_for_scripts(const Statement& statement) {
  if (prepared_.count(statement.name) != 0) return;
  pqxx::nontransaction query(connection());
  query.exec(std::string("PREPARE ") + statement.name + " AS " + statement.sql);
  prepared_.insert(statement.name);
}

fleet::Error Session::end_with_current_exception() {
  auto failure = failure_of_current_exception();
  const bool closed = connection_ && !connection_->is_open();
  if (closed && failure.error.kind == fleet::ErrorKind::internal) {
    failure.error.kind = fleet::ErrorKind::unavailable;
  }
  if (failure.connection_lost || closed) drop();
  return failure.error;
}

}  // namespace ota::sql
