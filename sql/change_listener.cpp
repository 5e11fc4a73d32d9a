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

using Heard = fleet::ChangeListener::Heard;

constexpr std::chrono::seconds kConnectWithin{2};

// What each channel tells of.
struct Channel {
  const char* name;
  bool Heard::*kind;
};
constexpr Channel kChannels[] = {{"ota_catalog", &Heard::catalog}, {"ota_keys", &Heard::keys}};

Heard heard_on(const std::vector<std::string>& names) {
  Heard heard;
  for (const auto& channel : kChannels) {
    heard.*channel.kind = std::find(names.begin(), names.end(), channel.name) != names.end();
  }
  return heard;
}

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
    Heard all;
    for (const auto& channel : kChannels) {
      const auto listening = link.query(std::string("LISTEN ") + channel.name, now + kConnectWithin);
      if (!listening) return tl::unexpected<fleet::Error>(listening.error());
      all.*channel.kind = true;
    }
    return all;
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
    if (!channels->empty()) return heard_on(*channels);
  }
}

void PgChangeListener::wake() {
  const std::uint64_t one = 1;
  (void)!write(state_->wake_fd, &one, sizeof one);
}

}  // namespace ota::sql
