#pragma once

#include "fleet/catalog.hpp"
#include "fleet/expected.hpp"

namespace ota::fleet {

/// Reads all releases and all rollouts that are not ended. Rows our grammar would refuse are left out.
class CatalogStore {
 public:
  virtual ~CatalogStore() = default;
  [[nodiscard]] virtual Expected<Catalog> load_catalog() = 0;
};

}  // namespace ota::fleet
