#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "fleet/ports/admin_store.hpp"
#include "fleet/ports/front_desk.hpp"

namespace ota::http {

/// Finds the stored images of a version without a query per download: rows that were read stay until the
/// next catalog snapshot, which every change of the releases brings. So known images are served while the
/// database is away. Thread safe.
class ReleaseIndex {
 public:
  ReleaseIndex(fleet::CatalogSource& catalogs, fleet::ReleaseStore& store)
      : catalogs_(catalogs), store_(store) {}

  using Rows = std::shared_ptr<const std::vector<fleet::ReleaseRow>>;

  /// The releases of `version` that are not withdrawn, at most one per model; never null, may be empty.
  [[nodiscard]] fleet::Expected<Rows> find(const std::string& version);

 private:
  fleet::CatalogSource& catalogs_;
  fleet::ReleaseStore& store_;
  std::mutex mutex_;
  std::shared_ptr<const fleet::Catalog> of_;  // the snapshot the rows belong to
  std::map<std::string, Rows> rows_;
};

}  // namespace ota::http
