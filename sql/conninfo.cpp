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

std::string session_settings(const ConnectOptions& options) {
  return "SET statement_timeout = " + std::to_string(options.statement_timeout_ms) +
         "; SET lock_timeout = " + std::to_string(options.lock_timeout_ms) +
         "; SET idle_in_transaction_session_timeout = 60000"
         "; SET TIME ZONE 'UTC'; SET client_min_messages = warning; SET jit = off";
}

}  // namespace ota::sql
