#pragma once

#include <string>

namespace ota::sql {

/// How to reach PostgreSQL. Where nothing is said, libpq's own environment decides (PGHOST with lists of
/// hosts, PGTARGETSESSIONATTRS, PGPASSWORD, PGSSLMODE, ...), as contract section 1 promises.
struct ConnectOptions {
  std::string conninfo;  ///< libpq key=value pairs put before our own settings; empty: the environment alone
  std::string application_name = "ota-bridge";
  int connect_timeout_s = 3;         ///< per host; PGCONNECT_TIMEOUT wins when set
  int statement_timeout_ms = 20000;  ///< a statement that takes longer is given up: `unavailable`
  int lock_timeout_ms = 10000;       ///< waiting for somebody's lock that long is given up: `unavailable`
};

}  // namespace ota::sql
