#include "sql/conninfo.hpp"

#include <cstdlib>

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

}  // namespace

std::string conninfo_of(const ConnectOptions& options) {
  std::string text = options.conninfo;
  text += " fallback_application_name=" + quoted(options.application_name);
  text += " client_encoding=UTF8";
  if (std::getenv("PGCONNECT_TIMEOUT") == nullptr) {
    text += " connect_timeout=" + std::to_string(options.connect_timeout_s);
  }
  // A peer that vanished without a word is noticed within half a minute, also while we wait for an answer.
  text += " keepalives_idle=10 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=20000";
  return text;
}

std::string session_settings(const ConnectOptions& options) {
  return "SET statement_timeout = " + std::to_string(options.statement_timeout_ms) +
         "; SET lock_timeout = " + std::to_string(options.lock_timeout_ms) +
         "; SET idle_in_transaction_session_timeout = 60000"
         "; SET TIME ZONE 'UTC'; SET client_min_messages = warning; SET jit = off";
}

}  // namespace ota::sql
