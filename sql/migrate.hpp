#pragma once

#include "fleet/expected.hpp"
#include "sql/connect_options.hpp"

namespace ota::sql {

/// Brings the database to this program's schema: applies what is missing of sql/migrations/ under an advisory
/// lock (several starting bridges wait for one another), each in a transaction of its own, and answers how
/// many were applied. A role without DDL rights passes when nothing is missing. Also adopts a database that
/// holds the tables of contract section 3 made by the earlier service. Errors: `unavailable` when the
/// database is away; `conflict` when an applied migration differs from this program's or the database is
/// newer than the program; `internal` when a migration fails, with its number.
[[nodiscard]] fleet::Expected<int> migrate(const ConnectOptions& options = {});

}  // namespace ota::sql
