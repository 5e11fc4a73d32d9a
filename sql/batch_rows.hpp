#pragma once

#include "fleet/ports/update_store.hpp"
#include "sql/device_rows.hpp"

namespace ota::sql {

/// Adds the statements that write a transaction's changes, one per table. Of offers, published_revision is
/// left to those who publish.
void add_changes(Script& script, const fleet::BatchChanges& changes);

}  // namespace ota::sql
