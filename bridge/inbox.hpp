#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "bridge/batch.hpp"
#include "bridge/held_messages.hpp"
#include "fleet/ports/front_desk.hpp"
#include "fleet/ports/update_store.hpp"

namespace ota::bridge {

/// The one way in for every device message, from MQTT and REST alike: bounded queues, sharded by device so
/// that one device's messages keep their order, each drained in batches of whatever has gathered by a writer
/// of its own.
class Inbox final : public fleet::FrontDesk {
 public:
  struct Ports {
    std::vector<std::unique_ptr<fleet::UpdateStore>> stores;  ///< one per writer
    const fleet::CatalogSource* catalogs = nullptr;
    fleet::Sha256 sha256 = nullptr;
    fleet::LocalClock local_clock = nullptr;
    OfferChanged offer_changed;
    TurnedAway turned_away;
    std::function<bool()> refresh_catalog;  ///< as in Writer
    std::function<void()> events_written;
  };

  explicit Inbox(Ports ports);
  ~Inbox() override;

  void start();
  /// Finishes what is queued as long as the database answers, then joins. Later messages are refused.
  void stop();

  void submit(fleet::Message message, fleet::Reply reply) override;

 private:
  struct Shard {
    std::mutex mutex;
    std::condition_variable filled;
    std::deque<Errand> queue;
    std::size_t held_count = 0;  // as in `held`
    Writer writer;
    HeldMessages held;
    std::thread thread;
  };

  void write(Shard& shard);
  [[nodiscard]] bool turn(Shard& shard);
  [[nodiscard]] std::vector<Errand> next_batch(Shard& shard);
  void run(Shard& shard, std::vector<Errand> batch, fleet::LockWait wait);
  void retry(Shard& shard, std::vector<Errand> postponed);
  [[nodiscard]] std::vector<Errand> refuse_pollers(std::vector<Errand> errands) const;

  Ports ports_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::atomic<bool> stopping_{false};
};

}  // namespace ota::bridge
