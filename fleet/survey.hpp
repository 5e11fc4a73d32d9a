#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "fleet/decide.hpp"

namespace ota::fleet {

/// What a rollout would mean for a fleet: device by device the very decision that offers are made by. One
/// thread.
class Survey {
 public:
  static constexpr std::size_t kExamplesMax = 20;

  struct Example {
    std::string device_id;
    std::string version;  ///< it runs now
    std::string outcome;  ///< the version it would get, or the name of the reason
    std::string text;     ///< the reason in words; empty with an update
  };

  /// `catalog` with the rollout in question, which must be in it.
  Survey(Catalog catalog, std::int64_t rollout_id, Circumstances circumstances)
      : catalog_(std::move(catalog)), rollout_id_(rollout_id), circumstances_(circumstances) {}

  void add(const Device& device);

  std::int64_t devices = 0;       ///< looked at
  std::int64_t included = 0;      ///< for which this rollout decides
  std::int64_t would_update = 0;  ///< of those, the ones it updates
  std::map<std::string, std::int64_t> by_version;
  std::map<std::string, std::int64_t> not_by_reason;  ///< of all others, by the name of the reason
  std::vector<Example> updated;
  std::vector<Example> not_updated;

 private:
  Catalog catalog_;
  std::int64_t rollout_id_;
  Circumstances circumstances_;
};

}  // namespace ota::fleet
