#include "bridge/inbox.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iterator>

#include "fleet/limits.hpp"

namespace ota::bridge {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBatchMax = 500;
constexpr auto kRetryPause = 250ms;

fleet::Error busy() {
  return {fleet::ErrorKind::unavailable, "the service is busy or its database is away; try again shortly"};
}

}  // namespace

Inbox::Inbox(Ports ports) : ports_(std::move(ports)) {
  for (auto& store : ports_.stores) {
    shards_.push_back(std::make_unique<Shard>());
    shards_.back()->writer = {std::move(store),   ports_.catalogs,      ports_.sha256,
                              ports_.local_clock, ports_.offer_changed, ports_.turned_away};
  }
}

Inbox::~Inbox() {
  stop();
}

void Inbox::start() {
  for (auto& shard : shards_) {
    shard->thread = std::thread([this, &shard = *shard] { write(shard); });
  }
}

void Inbox::stop() {
  if (stopping_.exchange(true)) return;
  for (auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    shard->filled.notify_all();
  }
  for (auto& shard : shards_) {
    if (shard->thread.joinable()) shard->thread.join();
  }
}

void Inbox::submit(fleet::Message message, fleet::Reply reply) {
  auto& shard = *shards_[std::hash<std::string>{}(message.device_id) % shards_.size()];
  {
    const std::lock_guard lock(shard.mutex);
    if (shard.queue.size() < fleet::kInboxMessagesMax && !stopping_) {
      shard.queue.push_back({std::move(message), std::move(reply)});
      if (shard.queue.size() == 1) shard.filled.notify_one();
      return;
    }
  }
  reply(tl::unexpected(busy()));
}

void Inbox::write(Shard& shard) {
  while (true) {
    std::vector<Errand> batch;
    {
      std::unique_lock lock(shard.mutex);
      shard.filled.wait(lock, [&] { return stopping_ || !shard.queue.empty(); });
      if (shard.queue.empty()) return;
      const auto count = static_cast<std::ptrdiff_t>(std::min(shard.queue.size(), kBatchMax));
      const auto end = std::next(shard.queue.begin(), count);
      batch.assign(std::make_move_iterator(shard.queue.begin()), std::make_move_iterator(end));
      shard.queue.erase(shard.queue.begin(), end);
    }
    auto outcome = run_batch(std::move(batch), shard.writer);
    if (outcome.events_written) ports_.events_written();
    if (!outcome.postponed.empty()) retry(shard, std::move(outcome.postponed));
  }
}

// The database is away. Whoever polls is told so and asks again; what came by MQTT was already acknowledged
// to the broker, so it goes back to the head of the queue and waits.
void Inbox::retry(Shard& shard, std::vector<Errand> postponed) {
  std::vector<Errand> waiting;
  for (auto& errand : postponed) {
    if (errand.message.channel == fleet::Channel::mqtt && !stopping_) {
      waiting.push_back(std::move(errand));
    } else {
      errand.reply(tl::unexpected(busy()));
    }
  }
  std::unique_lock lock(shard.mutex);
  shard.queue.insert(shard.queue.begin(), std::make_move_iterator(waiting.begin()),
                     std::make_move_iterator(waiting.end()));
  shard.filled.wait_for(lock, kRetryPause, [this] { return stopping_.load(); });
}

}  // namespace ota::bridge
