#include "http/answer_queue.hpp"

#include <spdlog/spdlog.h>

#include "http/replies.hpp"

namespace ota::http {

using Clock = Connection::Clock;

struct AnswerQueue::Ticket {
  std::unique_ptr<Connection> connection;
  AnswerForm form;
  std::function<Response()> make;
  std::atomic<int> halves{0};  // connection and answer; who brings the second hands the ticket on
  Clock::time_point expires_at{};
  bool is_written = false;  // the queue's thread only
};

struct AnswerQueue::Shared {
  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable emptied;
  std::vector<std::shared_ptr<Ticket>> due;
  std::deque<std::shared_ptr<Ticket>> attached;  // in the order they expire
  std::size_t pending = 0;
  bool stopping = false;

  void hand_on(std::shared_ptr<Ticket> ticket) {
    if (ticket->halves.fetch_add(1) == 0) return;
    const std::lock_guard lock(mutex);
    due.push_back(std::move(ticket));
    if (due.size() == 1) wake.notify_one();
  }
};

AnswerQueue::AnswerQueue(std::chrono::milliseconds timeout, std::size_t pending_max, Write write)
    : timeout_(timeout),
      pending_max_(pending_max),
      write_(std::move(write)),
      shared_(std::make_shared<Shared>()) {}

AnswerQueue::~AnswerQueue() {
  stop(std::chrono::milliseconds(0));
}

void AnswerQueue::start() {
  thread_ = std::thread([this] { run(); });
}

void AnswerQueue::stop(std::chrono::milliseconds wait) {
  {
    std::unique_lock lock(shared_->mutex);
    shared_->emptied.wait_for(lock, wait, [this] { return shared_->pending == 0; });
    shared_->stopping = true;
    shared_->wake.notify_one();
  }
  if (thread_.joinable()) thread_.join();
  // A late answer then finds a ticket without a connection.
  const std::lock_guard lock(shared_->mutex);
  for (const auto& ticket : shared_->attached) ticket->connection.reset();
  shared_->attached.clear();
  shared_->due.clear();
}

std::shared_ptr<AnswerQueue::Ticket> AnswerQueue::open() {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->stopping || shared_->pending >= pending_max_) return nullptr;
  ++shared_->pending;
  return std::make_shared<Ticket>();
}

Request::Later AnswerQueue::later(std::shared_ptr<Ticket> ticket) const {
  return [shared = shared_, ticket = std::move(ticket)](std::function<Response()> make) {
    ticket->make = std::move(make);
    shared->hand_on(ticket);
  };
}

void AnswerQueue::give_up(Ticket& ticket) {
  ticket.is_written = true;
  const std::lock_guard lock(shared_->mutex);
  if (--shared_->pending == 0) shared_->emptied.notify_all();
}

void AnswerQueue::attach(const std::shared_ptr<Ticket>& ticket, std::unique_ptr<Connection> connection,
                         AnswerForm form) {
  ticket->connection = std::move(connection);
  ticket->form = std::move(form);
  ticket->expires_at = Clock::now() + timeout_;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->attached.push_back(ticket);
  }
  shared_->hand_on(ticket);
}

void AnswerQueue::run() {
  std::unique_lock lock(shared_->mutex);
  while (!shared_->stopping) {
    auto& attached = shared_->attached;
    const auto now = Clock::now();
    // Without anything attached the next look is as far as any new ticket's end.
    const auto until = attached.empty() ? now + timeout_ : attached.front()->expires_at;
    shared_->wake.wait_until(lock, until, [this] { return shared_->stopping || !shared_->due.empty(); });
    auto due = std::move(shared_->due);
    shared_->due.clear();
    std::vector<std::shared_ptr<Ticket>> late;
    const auto at = Clock::now();
    while (!attached.empty() && (attached.front()->is_written || attached.front()->expires_at <= at)) {
      if (!attached.front()->is_written) late.push_back(attached.front());
      attached.pop_front();
    }
    lock.unlock();
    for (const auto& ticket : due) write_one(*ticket, false);
    for (const auto& ticket : late) write_one(*ticket, true);
    lock.lock();
  }
}

void AnswerQueue::write_one(Ticket& ticket, bool timed_out) {
  if (ticket.is_written) return;
  ticket.is_written = true;
  Response response;
  try {
    response =
        timed_out ? error_reply(503, "the database does not answer in time; try again") : ticket.make();
  } catch (const std::exception& error) {
    spdlog::error("http: {}", error.what());
    response = error_reply(500, "internal error; the server's log says more");
  }
  {
    const std::lock_guard lock(shared_->mutex);
    if (--shared_->pending == 0) shared_->emptied.notify_all();
  }
  write_(std::move(ticket.connection), ticket.form, std::move(response));
}

}  // namespace ota::http
