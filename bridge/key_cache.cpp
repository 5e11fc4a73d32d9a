#include "bridge/key_cache.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace ota::bridge {

std::shared_ptr<const fleet::KeyRing> KeyCache::keys() const {
  const std::lock_guard lock(mutex_);
  return ring_;
}

void KeyCache::note_used(const std::string& name, fleet::Time at) {
  const std::lock_guard lock(mutex_);
  auto& last = used_[name];
  last = std::max(last, at);
}

bool KeyCache::refresh() {
  write_uses();
  const std::lock_guard loading(loading_);
  auto loaded = store_.load_keys();
  if (!loaded) {
    const auto& why = loaded.error().message;
    if (why != last_error_) spdlog::warn("keys: the known ones stay: {}", why);
    last_error_ = why;
    return false;
  }
  last_error_.clear();
  auto fresh = std::make_shared<const fleet::KeyRing>(std::move(*loaded));
  const std::lock_guard lock(mutex_);
  ring_ = std::move(fresh);
  return true;
}

void KeyCache::write_uses() {
  std::map<std::string, fleet::Time> used;
  {
    const std::lock_guard lock(mutex_);
    used.swap(used_);
  }
  if (used.empty() || store_.note_used(used)) return;
  for (const auto& [name, at] : used) note_used(name, at);
}

}  // namespace ota::bridge
