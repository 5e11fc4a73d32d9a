#include "http/handshakes.hpp"

#include <algorithm>

namespace ota::http {
namespace {

// Half of the processors: a storm of handshakes leaves the other half to requests.
std::size_t thread_count() {
  return std::clamp(std::thread::hardware_concurrency() / 2, 1U, 4U);
}

}  // namespace

Handshakes::Handshakes(std::size_t waiting_max, OnStep on_step)
    : waiting_max_(waiting_max), on_step_(std::move(on_step)) {
  for (std::size_t i = 0; i < thread_count(); ++i) threads_.emplace_back([this] { work(); });
}

Handshakes::~Handshakes() {
  stop();
}

void Handshakes::submit(std::unique_ptr<Connection> connection) {
  const std::lock_guard lock(mutex_);
  if (stopping_ || waiting_.size() >= waiting_max_) return;
  waiting_.push_back(std::move(connection));
  wake_.notify_one();
}

void Handshakes::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    waiting_.clear();
  }
  wake_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void Handshakes::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    auto connection = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    // Its client has given up, or is about to.
    if (connection->expires_at > Connection::Clock::now()) {
      const auto outcome = connection->shake_hands();
      on_step_(std::move(connection), outcome);
    }
    connection.reset();
    lock.lock();
  }
}

}  // namespace ota::http
