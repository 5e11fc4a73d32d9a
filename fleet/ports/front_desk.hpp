#pragma once

#include <memory>

#include "fleet/catalog.hpp"
#include "fleet/messages.hpp"

namespace ota::fleet {

/// Where both worlds hand in a device's message. Thread safe.
class FrontDesk {
 public:
  virtual ~FrontDesk() = default;

  /// Queues `message`; never blocks. `reply` is called exactly once, later, on another thread, after the
  /// commit — or at once on the caller's thread with `unavailable` when the bounded inbox is full. It must
  /// not block or throw.
  virtual void submit(Message message, Reply reply) = 0;
};

/// The present snapshot of releases and rollouts. Thread safe, never null.
class CatalogSource {
 public:
  virtual ~CatalogSource() = default;
  [[nodiscard]] virtual std::shared_ptr<const Catalog> catalog() const = 0;
};

}  // namespace ota::fleet
