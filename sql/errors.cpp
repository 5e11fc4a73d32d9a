#include "sql/errors.hpp"

#include <array>
#include <pqxx/pqxx>
#include <string_view>

namespace ota::sql {
namespace {

using fleet::ErrorKind;

constexpr std::string_view kLockNotAvailable = "55P03";

struct Rule {
  std::string_view prefix;  // a SQLSTATE or its class
  ErrorKind kind;
  bool fatal;
};

// The first match counts.
constexpr std::array kRules = {
    Rule{"08", ErrorKind::unavailable, true},     // connection exception
    Rule{"22", ErrorKind::invalid, false},        // data exception: the value itself is refused
    Rule{"23", ErrorKind::invalid, false},        // integrity constraint violation
    Rule{"25006", ErrorKind::unavailable, true},  // read-only: a standby, or a primary stepping down
    Rule{"25P03", ErrorKind::unavailable, true},  // idle in transaction for too long
    Rule{"28", ErrorKind::unavailable, true},     // password or role refused
    Rule{"3D", ErrorKind::unavailable, true},     // no such database (yet)
    Rule{"40", ErrorKind::unavailable, false},    // deadlock, serialization failure
    Rule{"53", ErrorKind::unavailable, false},    // out of memory, disk or connections
    Rule{"54", ErrorKind::invalid, false},        // beyond a limit of PostgreSQL
    Rule{kLockNotAvailable, ErrorKind::unavailable, false},  // lock_timeout
    Rule{"57014", ErrorKind::unavailable, false},            // statement_timeout
    Rule{"57P", ErrorKind::unavailable, true},               // shutdown, crash, starting up
    Rule{"58", ErrorKind::unavailable, false},               // I/O error on the server
};

const Rule* rule_of(std::string_view sqlstate) {
  for (const auto& rule : kRules) {
    if (sqlstate.substr(0, rule.prefix.size()) == rule.prefix) return &rule;
  }
  return nullptr;
}

// libpq's messages end in a newline and may have several lines.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (c != '\n') {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

}  // namespace

ErrorKind kind_of_sqlstate(const std::string& sqlstate) {
  const auto* rule = rule_of(sqlstate);
  return rule == nullptr ? ErrorKind::internal : rule->kind;
}

bool is_fatal_sqlstate(const std::string& sqlstate) {
  const auto* rule = rule_of(sqlstate);
  return rule != nullptr && rule->fatal;
}

Failure failure_of_current_exception() {
  try {
    throw;
  } catch (const Refusal& refusal) {
    return {refusal.error(), false};
  } catch (const pqxx::in_doubt_error& e) {
    return {
        {ErrorKind::in_doubt, "connection lost while committing: " + one_line(e.what()), kAwayForStrangers},
        true};
  } catch (const pqxx::broken_connection& e) {
    return {{ErrorKind::unavailable, "PostgreSQL is away: " + one_line(e.what()), kAwayForStrangers}, true};
  } catch (const pqxx::transaction_rollback& e) {  // no sql_error in libpqxx 6
    return {{ErrorKind::unavailable, "PostgreSQL: " + one_line(e.what())}, false};
  } catch (const pqxx::sql_error& e) {
    const std::string& state = e.sqlstate();
    fleet::Error error{kind_of_sqlstate(state), "PostgreSQL: " + one_line(e.what())};
    if (error.kind == ErrorKind::unavailable) error.outside = kAwayForStrangers;
    error.met_lock = state == kLockNotAvailable;
    return {std::move(error), is_fatal_sqlstate(state)};
  } catch (const std::bad_alloc&) {
    return {{ErrorKind::unavailable, "out of memory"}, true};
  } catch (const std::exception& e) {
    return {{ErrorKind::internal, "unexpected answer of the database: " + one_line(e.what())}, true};
  }
}

}  // namespace ota::sql
