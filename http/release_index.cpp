#include "http/release_index.hpp"

namespace ota::http {
namespace {

constexpr std::size_t kVersionsMax = 1024;

}  // namespace

fleet::Expected<ReleaseIndex::Rows> ReleaseIndex::find(const std::string& version) {
  const auto catalog = catalogs_.catalog();
  {
    const std::lock_guard lock(mutex_);
    if (of_ == catalog) {
      const auto found = rows_.find(version);
      if (found != rows_.end()) return found->second;
    }
  }
  auto read = store_.find_releases(version, "");
  if (!read) return tl::unexpected(read.error());
  const auto rows = std::make_shared<const std::vector<fleet::ReleaseRow>>(std::move(*read));
  // An unknown version is asked for again: it may have been uploaded since.
  if (rows->empty()) return rows;
  const std::lock_guard lock(mutex_);
  if (of_ != catalog || rows_.size() >= kVersionsMax) rows_.clear();
  of_ = catalog;
  rows_[version] = rows;
  return rows;
}

}  // namespace ota::http
