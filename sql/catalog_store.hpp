#pragma once

#include <memory>

#include "fleet/ports/catalog_store.hpp"
#include "sql/connect_options.hpp"

namespace ota::sql {

/// Reads firmware_releases and rollout_configurations. One connection; belongs to one thread.
class PgCatalogStore final : public fleet::CatalogStore {
 public:
  /// Connects at the first call, not here. `signed_only`: as in fleet::FleetRules.
  explicit PgCatalogStore(const ConnectOptions& options = {}, bool signed_only = false);
  ~PgCatalogStore() override;

  [[nodiscard]] fleet::Expected<fleet::Catalog> load_catalog() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ota::sql
