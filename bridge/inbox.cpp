#include "bridge/inbox.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iterator>

#include "bridge/run_guarded.hpp"
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
    shards_.back()->writer = {std::move(store),      ports_.catalogs,      ports_.sha256,
                              ports_.local_clock,    ports_.offer_changed, ports_.turned_away,
                              ports_.refresh_catalog};
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
    if (shard.queue.size() + shard.held_count < fleet::kInboxMessagesMax && !stopping_) {
      shard.queue.push_back({std::move(message), std::move(reply)});
      if (shard.queue.size() == 1) shard.filled.notify_one();
      return;
    }
  }
  reply(tl::unexpected(busy()));
}

void Inbox::write(Shard& shard) {
  bool goes_on = true;
  while (goes_on) run_guarded("writer", [&] { goes_on = turn(shard); });
  run_guarded("writer", [&] { run(shard, shard.held.take(), fleet::LockWait::brief); });
}

// Answers whether there is more to do: false when it is time to stop.
bool Inbox::turn(Shard& shard) {
  if (!shard.held.empty() && HeldMessages::Clock::now() >= shard.held.due_at())
    run(shard, shard.held.take(), fleet::LockWait::brief);
  auto batch = next_batch(shard);
  if (batch.empty() && stopping_) return false;
  shard.held.add(refuse_pollers(shard.held.divert(batch)));
  run(shard, std::move(batch), fleet::LockWait::usual);
  return true;
}

// What has gathered; empty when it is time to stop, or to try again what is held.
std::vector<Errand> Inbox::next_batch(Shard& shard) {
  std::vector<Errand> batch;
  std::unique_lock lock(shard.mutex);
  shard.held_count = shard.held.size();
  const auto has_some = [&] { return stopping_ || !shard.queue.empty(); };
  if (shard.held.empty()) {
    shard.filled.wait(lock, has_some);
  } else {
    shard.filled.wait_until(lock, shard.held.due_at(), has_some);
  }
  const auto count = static_cast<std::ptrdiff_t>(std::min(shard.queue.size(), kBatchMax));
  const auto end = std::next(shard.queue.begin(), count);
  batch.assign(std::make_move_iterator(shard.queue.begin()), std::make_move_iterator(end));
  shard.queue.erase(shard.queue.begin(), end);
  return batch;
}

void Inbox::run(Shard& shard, std::vector<Errand> batch, fleet::LockWait wait) {
  if (batch.empty()) return;
  auto outcome = run_batch(std::move(batch), shard.writer, wait);
  if (outcome.events_written) ports_.events_written();
  shard.held.bar(outcome.held, HeldMessages::Clock::now());
  shard.held.add(refuse_pollers(std::move(outcome.held)));
  if (!outcome.postponed.empty()) retry(shard, std::move(outcome.postponed));
}

// What came by MQTT was already acknowledged to the broker, so it waits. Whoever polls is told that nothing
// was recorded, and asks again.
std::vector<Errand> Inbox::refuse_pollers(std::vector<Errand> errands) const {
  std::vector<Errand> waiting;
  for (auto& errand : errands) {
    if (errand.message.channel == fleet::Channel::mqtt && !stopping_) {
      waiting.push_back(std::move(errand));
    } else {
      errand.reply(tl::unexpected(busy()));
    }
  }
  return waiting;
}

// The database is away: what waits goes back to the head of the queue.
void Inbox::retry(Shard& shard, std::vector<Errand> postponed) {
  auto waiting = refuse_pollers(std::move(postponed));
  std::unique_lock lock(shard.mutex);
  shard.queue.insert(shard.queue.begin(), std::make_move_iterator(waiting.begin()),
                     std::make_move_iterator(waiting.end()));
  shard.filled.wait_for(lock, kRetryPause, [this] { return stopping_.load(); });
}

}  // namespace ota::bridge
