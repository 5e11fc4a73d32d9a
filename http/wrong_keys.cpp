#include "http/wrong_keys.hpp"

#include <algorithm>

#include "fleet/limits.hpp"

namespace ota::http {

std::chrono::seconds WrongKeys::wait_of(const fleet::IpAddress& client, Time now) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(fleet::subscriber_of(client));
  if (found == entries_.end() || found->second.until <= now) return std::chrono::seconds(0);
  return std::chrono::ceil<std::chrono::seconds>(found->second.until - now);
}

std::chrono::seconds WrongKeys::note(const fleet::IpAddress& client, Time now) {
  const std::lock_guard lock(mutex_);
  auto& entry = entry_of(fleet::subscriber_of(client), now);
  entry.last_at = now;
  if (now - entry.window_began_at >= fleet::kWrongKeysWindow) {
    entry.window_began_at = now;
    entry.count = 0;
  }
  ++entry.count;
  if (entry.wait.count() > 0) {
    entry.wait = std::min(2 * entry.wait, fleet::kWrongKeysWaitMax);
  } else if (entry.count >= fleet::kWrongKeysMax) {
    entry.wait = fleet::kWrongKeysWait;
  } else {
    return std::chrono::seconds(0);
  }
  entry.until = now + entry.wait;
  return entry.wait;
}

std::size_t WrongKeys::count() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

// The address's entry, made if need be, and the youngest from now on.
WrongKeys::Entry& WrongKeys::entry_of(const fleet::IpAddress& address, Time now) {
  while (!by_age_.empty() && now - entries_.at(by_age_.front()).last_at >= fleet::kWrongKeysForgotten)
    forget_oldest();
  if (const auto found = entries_.find(address); found != entries_.end()) {
    by_age_.splice(by_age_.end(), by_age_, found->second.age);
    return found->second;
  }
  if (entries_.size() >= fleet::kWrongKeyAddressesMax) forget_oldest();
  auto& entry = entries_[address];
  entry.window_began_at = now;
  entry.age = by_age_.insert(by_age_.end(), address);
  return entry;
}

void WrongKeys::forget_oldest() {
  entries_.erase(by_age_.front());
  by_age_.pop_front();
}

}  // namespace ota::http
