#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <system_error>

#include "sql/link.hpp"
#include "sql/monitor_store.hpp"

namespace ota::sql {
namespace {

using fleet::Expected;

constexpr std::chrono::seconds kConnectWithin{2};

}  // namespace

struct PgChangeListener::State {
  explicit State(const ConnectOptions& options)
      : link(options), wake_fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (wake_fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { close(wake_fd); }

  Link link;
  int wake_fd;
};

PgChangeListener::PgChangeListener(const ConnectOptions& options)
    : state_(std::make_unique<State>(options)) {}
PgChangeListener::~PgChangeListener() = default;

Expected<fleet::ChangeListener::Heard> PgChangeListener::wait(int wait_ms) {
  auto& link = state_->link;
  const auto now = Link::Clock::now();
  const auto connected = link.ensure(now + kConnectWithin);
  if (!connected) return tl::unexpected<fleet::Error>(connected.error());
  if (*connected) {
    const auto listening = link.query("LISTEN ota_catalog", now + kConnectWithin);
    if (!listening) return tl::unexpected<fleet::Error>(listening.error());
    return Heard{.catalog = true, .events = false};
  }

  const auto deadline = now + std::chrono::milliseconds(wait_ms);
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Link::Clock::now()).count();
    pollfd both[2] = {{link.socket(), POLLIN, 0}, {state_->wake_fd, POLLIN, 0}};
    const int ready = poll(both, 2, static_cast<int>(std::max<long long>(left, 0)));
    if (ready == 0) return Heard{};
    if (both[1].revents != 0) {
      std::uint64_t count = 0;
      (void)!read(state_->wake_fd, &count, sizeof count);
      return Heard{};
    }
    const auto channels = link.notifications();
    if (!channels) return tl::unexpected<fleet::Error>(channels.error());
    if (!channels->empty()) return Heard{.catalog = true, .events = false};
  }
}

void PgChangeListener::wake() {
  const std::uint64_t one = 1;
  (void)!write(state_->wake_fd, &one, sizeof one);
}

}  // namespace ota::sql
