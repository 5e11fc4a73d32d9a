#include "bridge/offer_publisher.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

#include "bridge/run_guarded.hpp"
#include "fleet/device_flow.hpp"
#include "topics/payloads.hpp"

namespace ota::bridge {
namespace {

using namespace std::chrono_literals;

// Acknowledgements gather this long before one statement notes them; a crash within it only repeats
// publications.
constexpr auto kNotePause = 100ms;
constexpr std::size_t kNoteMax = 2000;
// Beyond it the oldest are forgotten: those offers stay due and are published once more.
constexpr std::size_t kAcknowledgedMax = 100000;

}  // namespace

OfferPublisher::OfferPublisher(Ports ports) : ports_(std::move(ports)) {}
OfferPublisher::~OfferPublisher() {
  stop();
}

void OfferPublisher::start() {
  noter_ = std::thread([this] { note_published(); });
}

void OfferPublisher::stop() {
  if (!noter_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  noter_.join();
}

void OfferPublisher::publish(const fleet::Device& device) {
  if (!device.on_mqtt || !device.offer) return;
  const auto offer = fleet::offer_answer(device, ports_.catalogs->catalog(), ports_.now());
  const bool stands = device.offer->is_standing();
  if (stands && !offer) return;  // its release is newer than our catalog: due again shortly
  send(device.id, stands ? encode(device.id, *offer) : std::string{}, device.offer->wanted_revision);
  // A device that has, or is about to begin with, what was just withdrawn is told to stop (contract section
  // 4).
  const bool stopped = device.attempt && device.attempt->failure == fleet::FailureKind::withdrawn;
  const bool withdrawn = !device.offer->open && (!device.offer->taken || stopped);
  if (withdrawn) hand_over(device.id, topics::encode_withdrawn(device.offer->attempt_id), false, 0);
}

void OfferPublisher::answer(const std::string& device_id, const fleet::OfferAnswer& offer) {
  auto payload = encode(device_id, offer);
  if (offer.retain) {
    send(device_id, std::move(payload), offer.revision);
  } else {
    hand_over(device_id, std::move(payload), false, 0);
  }
}

std::string OfferPublisher::encode(const std::string& device_id, const fleet::OfferAnswer& offer) const {
  return topics::encode_offer(offer, ports_.urls->path(offer, device_id), ports_.public_url);
}

void OfferPublisher::clear(const std::string& device_id, Clock::time_point asked_at) {
  const std::lock_guard in_order(order_);
  if (recent_.may_clear(device_id, asked_at)) hand_over(device_id, {}, true, 0);
}

void OfferPublisher::forget(const std::string& device_id) {
  const std::lock_guard in_order(order_);
  recent_.forget(device_id);
  hand_over(device_id, {}, true, 0);
}

// Looking and handing over are one step: between them no other thread may hand over something newer.
void OfferPublisher::send(const std::string& device_id, std::string payload, std::int64_t revision) {
  const std::lock_guard in_order(order_);
  if (recent_.admit(device_id, revision, !payload.empty(), Clock::now()))
    hand_over(device_id, std::move(payload), true, revision);
}

void OfferPublisher::hand_over(const std::string& device_id, std::string payload, bool retain,
                               std::int64_t revision) {
  ports_.link->publish(ports_.names->device(device_id, topics::DeviceTopic::offer), std::move(payload),
                       retain, [this, device_id, revision](bool acknowledged) {
                         if (!acknowledged || revision == 0) return;
                         const std::lock_guard lock(mutex_);
                         if (acknowledged_.size() < kAcknowledgedMax)
                           acknowledged_.push_back({device_id, revision});
                       });
}

void OfferPublisher::note_published() {
  while (true) {
    std::vector<fleet::PublishedOffer> batch;
    {
      std::unique_lock lock(mutex_);
      // No pause while whole batches are waiting: a push must not outrun what is noted of it.
      changed_.wait_for(lock, kNotePause, [this] { return stopping_ || acknowledged_.size() >= kNoteMax; });
      if (acknowledged_.empty() && stopping_) return;
      const auto count = static_cast<std::ptrdiff_t>(std::min(acknowledged_.size(), kNoteMax));
      batch.assign(acknowledged_.begin(), acknowledged_.begin() + count);
      acknowledged_.erase(acknowledged_.begin(), acknowledged_.begin() + count);
    }
    if (batch.empty()) continue;
    run_guarded("offer noter", [&] {
      if (const auto marked = ports_.marks->mark_published(batch); !marked) {
        spdlog::debug("offers: cannot note {} publications, they will be repeated: {}", batch.size(),
                      marked.error().message);
      }
    });
  }
}

}  // namespace ota::bridge
