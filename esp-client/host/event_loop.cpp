#include "esp-client/host/event_loop.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace ota::device::host {

EventLoop::EventLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

EventLoop::~EventLoop() {
  close(epoll_);
}

void EventLoop::watch(int fd, std::uint32_t epoll_events, FdHandler& handler) {
  const auto index = static_cast<std::size_t>(fd);
  if (index >= handlers_.size()) handlers_.resize(index + 64, nullptr);
  handlers_[index] = &handler;
  epoll_event event{};
  event.events = epoll_events;
  event.data.fd = fd;
  // A descriptor that was closed and opened again is new to epoll, whatever we remember of it.
  if (epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) == 0) return;
  if (errno != ENOENT || epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) handlers_[index] = nullptr;
}

void EventLoop::forget(int fd) {
  const auto index = static_cast<std::size_t>(fd);
  if (index >= handlers_.size()) return;
  handlers_[index] = nullptr;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
}

void EventLoop::run_once(int timeout_ms) {
  std::array<epoll_event, 256> ready{};
  const int count = epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), timeout_ms);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = ready[static_cast<std::size_t>(i)];
    FdHandler* handler = handlers_[static_cast<std::size_t>(event.data.fd)];
    if (handler != nullptr) handler->on_fd(event.data.fd, event.events);
  }
}

}  // namespace ota::device::host
