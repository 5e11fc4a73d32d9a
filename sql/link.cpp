#include "sql/link.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "sql/conninfo.hpp"
#include "sql/errors.hpp"

namespace ota::sql {
namespace {

using fleet::ErrorKind;
using fleet::Expected;

int milliseconds_until(Link::Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Link::Clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 600'000));
}

std::string message_of(const PGconn* connection) {
  std::string text = PQerrorMessage(connection);
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

struct ResultDeleter {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, ResultDeleter>;

}  // namespace

bool wait_for(int descriptor, bool for_writing, Link::Clock::time_point deadline) {
  for (;;) {
    pollfd one{descriptor, static_cast<short>(for_writing ? POLLOUT : POLLIN), 0};
    const int ready = poll(&one, 1, milliseconds_until(deadline));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

Link::~Link() {
  close();
}

void Link::close() {
  if (connection_ != nullptr) PQfinish(connection_);
  connection_ = nullptr;
}

int Link::socket() const {
  return connection_ == nullptr ? -1 : PQsocket(connection_);
}

tl::unexpected<fleet::Error> Link::away(const std::string& why) {
  last_error_ = "PostgreSQL is away: " + why;
  close();
  return fleet::fail(ErrorKind::unavailable, last_error_);
}

Expected<void> Link::connect(Clock::time_point deadline) {
  const std::string conninfo = conninfo_of(options_);
  if (names_several_hosts(options_)) {
    // Only the blocking call has a time limit for each host; a silent first one must not use up the whole
    // deadline again and again.
    connection_ = PQconnectdb(conninfo.c_str());
    if (PQstatus(connection_) != CONNECTION_OK) return away(message_of(connection_));
    PQsetNoticeProcessor(
        connection_, [](void*, const char*) {}, nullptr);
    return {};
  }
  connection_ = PQconnectStart(conninfo.c_str());
  if (connection_ == nullptr) return away("out of memory");
  PQsetNoticeProcessor(
      connection_, [](void*, const char*) {}, nullptr);
  if (PQstatus(connection_) == CONNECTION_BAD) return away(message_of(connection_));
  for (auto step = PGRES_POLLING_WRITING; step != PGRES_POLLING_OK; step = PQconnectPoll(connection_)) {
    if (step == PGRES_POLLING_FAILED) return away(message_of(connection_));
    if (!wait_for(PQsocket(connection_), step == PGRES_POLLING_WRITING, deadline)) {
      return away("no answer to the connection attempt in time");
    }
  }
  return {};
}

Expected<bool> Link::ensure(Clock::time_point deadline) {
  if (connection_ != nullptr) return false;
  const auto now = Clock::now();
  if (now < next_attempt_) return fleet::fail(ErrorKind::unavailable, last_error_);
  next_attempt_ = now + std::chrono::seconds(1);
  auto ready = connect(deadline)
                   .and_then([&] { return query(session_settings(options_), deadline); })
                   .and_then([&](auto&&) { return query("SELECT pg_is_in_recovery()", deadline); });
  if (!ready) return away(ready.error().message);
  if (*ready == "t") return away("the server is a standby");
  return true;
}

Expected<std::optional<std::string>> Link::query(const std::string& sql, Clock::time_point deadline) {
  if (connection_ == nullptr) return fleet::fail(ErrorKind::unavailable, "PostgreSQL is away");
  if (PQsendQuery(connection_, sql.c_str()) == 0) return away(message_of(connection_));
  std::optional<std::string> first;
  std::optional<fleet::Error> refused;
  for (;;) {
    while (PQisBusy(connection_) != 0) {
      if (!wait_for(PQsocket(connection_), false, deadline)) return away("no answer in time");
      if (PQconsumeInput(connection_) == 0) return away(message_of(connection_));
    }
    const Result result(PQgetResult(connection_));
    if (!result) break;
    const auto status = PQresultStatus(result.get());
    if (status == PGRES_TUPLES_OK && PQntuples(result.get()) > 0 && PQgetisnull(result.get(), 0, 0) == 0) {
      first = PQgetvalue(result.get(), 0, 0);
    }
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) continue;
    const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    refused = fleet::Error{kind_of_sqlstate(state == nullptr ? "08000" : state), message_of(connection_)};
  }
  if (PQstatus(connection_) == CONNECTION_BAD) return away(message_of(connection_));
  if (refused) return tl::unexpected<fleet::Error>(*refused);
  return first;
}

Expected<std::vector<std::string>> Link::notifications() {
  if (connection_ == nullptr) return fleet::fail(ErrorKind::unavailable, "PostgreSQL is away");
  if (PQconsumeInput(connection_) == 0) return away(message_of(connection_));
  std::vector<std::string> channels;
  while (PGnotify* notify = PQnotifies(connection_)) {
    channels.emplace_back(notify->relname);
    PQfreemem(notify);
  }
  return channels;
}

}  // namespace ota::sql
