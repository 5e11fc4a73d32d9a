#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "fleet/ports/key_store.hpp"

namespace ota::bridge {

/// The keys of the admin routes in memory, so that no request asks the database for them, and so that they go
/// on working while it is away. Thread safe.
class KeyCache final : public fleet::KeySource {
 public:
  explicit KeyCache(fleet::KeyRingStore& store) : store_(store) {}

  [[nodiscard]] std::shared_ptr<const fleet::KeyRing> keys() const override;
  void note_used(const std::string& name, fleet::Time at) override;

  /// Writes down which keys were used, then loads them all anew. False: the old ones stay.
  bool refresh();
  /// Writes down which keys were used; they are kept for the next time when the database is away.
  void write_uses();

 private:
  fleet::KeyRingStore& store_;
  std::mutex loading_;      // one load at a time: an older one must not replace a newer
  std::string last_error_;  // told once
  mutable std::mutex mutex_;
  std::shared_ptr<const fleet::KeyRing> ring_;
  std::map<std::string, fleet::Time> used_;  // by name, so never more than there are keys
};

}  // namespace ota::bridge
