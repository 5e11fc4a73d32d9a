#pragma once

#include <string>

#include "fleet/expected.hpp"
#include "sql/connect_options.hpp"

namespace ota::sql {

/// libpq's connection string: what is in `options` and nothing the environment is to decide.
[[nodiscard]] std::string conninfo_of(const ConnectOptions& options);

/// Whether libpq takes the PG* variables at all, tested without a word to any server. `invalid` with libpq's
/// sentence: such a start would fail for ever.
[[nodiscard]] fleet::Expected<void> test_database_settings();

/// Whether libpq may have to try more than one host.
[[nodiscard]] bool names_several_hosts(const ConnectOptions& options);

/// The SET statements a new connection begins with.
[[nodiscard]] std::string session_settings(const ConnectOptions& options);

}  // namespace ota::sql
