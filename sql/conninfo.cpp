#include "sql/conninfo.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <tuple>

namespace ota::sql {
namespace {

std::string quoted(const std::string& value) {
  std::string text = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') text += '\\';
    text += c;
  }
  return text + "'";
}

// An empty place in a list, as an empty text, is libpq's default.
bool are_numbers(std::string_view text, bool is_list, int least, int most) {
  while (true) {
    const auto comma = is_list ? std::min(text.find(','), text.size()) : text.size();
    const auto one = text.substr(0, comma);
    int number = least;
    const auto [end, problem] = std::from_chars(one.data(), one.data() + one.size(), number);
    const bool is_number = problem == std::errc{} && end == one.data() + one.size();
    if ((!is_number && !one.empty()) || number < least || number > most) return false;
    if (comma == text.size()) return true;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

std::string conninfo_of(const ConnectOptions& options) {
  std::string text;
  const bool attrs_given =
      std::getenv("PGTARGETSESSIONATTRS") != nullptr || std::getenv("PGSERVICE") != nullptr;
  // Of several hosts the one that can record something; a single standby says so when connecting.
  if (!attrs_given) text += "target_session_attrs=read-write ";
  text += options.conninfo;
  text += " fallback_application_name=" + quoted(options.application_name);
  text += " client_encoding=UTF8";
  if (std::getenv("PGCONNECT_TIMEOUT") == nullptr) {
    text += " connect_timeout=" + std::to_string(options.connect_timeout_s);
  }
  // A peer that vanished without a word is noticed within half a minute, also while we wait for an answer.
  text += " keepalives_idle=10 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=20000";
  return text;
}

bool names_several_hosts(const ConnectOptions& options) {
  const auto is_list = [](const char* text) {
    return text != nullptr && std::string(text).find(',') != std::string::npos;
  };
  return is_list(options.conninfo.c_str()) || is_list(std::getenv("PGHOST")) ||
         is_list(std::getenv("PGHOSTADDR"));
}

fleet::Expected<void> test_database_settings() {
  // libpq reads these only as it connects, and then they look like a server that is away.
  const std::tuple<const char*, bool, int, int> numbers[] = {{"PGPORT", true, 1, 65535},
                                                             {"PGCONNECT_TIMEOUT", false, 0, 1'000'000}};
  for (const auto& [name, is_list, least, most] : numbers) {
    const char* value = std::getenv(name);
    if (value == nullptr || are_numbers(value, is_list, least, most)) continue;
    return fleet::fail(fleet::ErrorKind::invalid, std::string(name) + ": '" + value +
                                                      "' is not a whole number from " +
                                                      std::to_string(least) + " to " + std::to_string(most));
  }
  // All that libpq itself refuses before it would connect; the host is one where nobody listens.
  const auto conninfo = conninfo_of({}) + " host='/' hostaddr='' port='1'";
  if (PQping(conninfo.c_str()) != PQPING_NO_ATTEMPT) return {};
  const std::unique_ptr<PGconn, decltype(&PQfinish)> refused(PQconnectdb(conninfo.c_str()), &PQfinish);
  std::string why = PQerrorMessage(refused.get());
  while (!why.empty() && why.back() == '\n') why.pop_back();
  return fleet::fail(fleet::ErrorKind::invalid, "the database's settings (PG* variables): " + why);
}

std::string session_settings(const ConnectOptions& options) {
  return "SET statement_timeout = " + std::to_string(options.statement_timeout_ms) +
         "; SET lock_timeout = " + std::to_string(options.lock_timeout_ms) +
         "; SET idle_in_transaction_session_timeout = 60000"
         "; SET TIME ZONE 'UTC'; SET client_min_messages = warning; SET jit = off";
}

}  // namespace ota::sql
