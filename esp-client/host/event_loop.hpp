#pragma once
#include <cstdint>
#include <vector>

namespace ota::device::host {

// Told when its descriptor is ready. A stale call for a descriptor that has just been reused may happen;
// handlers work on non-blocking descriptors, so it does no harm.
class FdHandler {
 public:
  virtual void on_fd(int fd, std::uint32_t epoll_events) = 0;

 protected:
  ~FdHandler() = default;
};

// epoll, one thread.
class EventLoop {
 public:
  EventLoop();  // throws std::system_error
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Adds the descriptor or changes what it waits for (EPOLLIN | EPOLLOUT).
  void watch(int fd, std::uint32_t epoll_events, FdHandler& handler);
  // Also for descriptors that are closed already.
  void forget(int fd);
  // Waits at most timeout_ms and calls the handlers of what is ready.
  void run_once(int timeout_ms);

 private:
  int epoll_;
  std::vector<FdHandler*> handlers_;  // by descriptor
};

}  // namespace ota::device::host
