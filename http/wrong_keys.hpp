#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <map>
#include <mutex>

#include "fleet/ip_address.hpp"

namespace ota::http {

/// Counts wrong keys by address (fleet::subscriber_of), so that guessing is slow; fleet/limits.hpp says how
/// slow. Time comes from outside and must not run backwards. Thread safe.
class WrongKeys {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// How long keys from `client` are still passed over, in whole seconds from 1; zero: they are looked at.
  [[nodiscard]] std::chrono::seconds wait_of(const fleet::IpAddress& client, Time now) const;
  /// A key from `client` was wrong. Answers the wait that begins now, zero: none.
  std::chrono::seconds note(const fleet::IpAddress& client, Time now);

  [[nodiscard]] std::size_t count() const;  ///< of addresses

 private:
  struct Entry {
    Time window_began_at;
    int count = 0;
    std::chrono::seconds wait{0};  ///< zero: not passed over so far
    Time until;
    Time last_at;
    std::list<fleet::IpAddress>::iterator age;
  };
  Entry& entry_of(const fleet::IpAddress& address, Time now);
  void forget_oldest();

  mutable std::mutex mutex_;
  std::map<fleet::IpAddress, Entry> entries_;
  std::list<fleet::IpAddress> by_age_;  ///< the longest without a wrong key first
};

}  // namespace ota::http
