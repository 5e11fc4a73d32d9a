#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fleet/expected.hpp"
#include "sql/connect_options.hpp"

struct pg_conn;

namespace ota::sql {

/// A connection on bare libpq whose every call has a deadline, for what must not hang with the server:
/// /health, leadership, notifications. libpqxx can only block. Belongs to one thread at a time.
class Link {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Link(ConnectOptions options) : options_(std::move(options)) {}
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// Connects unless connected; at most one attempt a second. A standby counts as away: nothing can be
  /// recorded there. Answers whether the connection is new.
  [[nodiscard]] fleet::Expected<bool> ensure(Clock::time_point deadline);

  /// Runs one statement without parameters and answers its first field (nullopt: NULL or no row). On any
  /// error but a refusal by the server the connection is closed.
  [[nodiscard]] fleet::Expected<std::optional<std::string>> query(const std::string& sql,
                                                                  Clock::time_point deadline);

  /// Reads what has arrived and answers the channels that were notified, one entry per notification.
  [[nodiscard]] fleet::Expected<std::vector<std::string>> notifications();

  [[nodiscard]] bool is_open() const { return connection_ != nullptr; }
  /// The descriptor to poll for reading; -1 when closed.
  [[nodiscard]] int socket() const;
  void close();

 private:
  [[nodiscard]] fleet::Expected<void> connect(Clock::time_point deadline);
  [[nodiscard]] tl::unexpected<fleet::Error> away(const std::string& why);

  ConnectOptions options_;
  pg_conn* connection_ = nullptr;
  Clock::time_point next_attempt_{};
  std::string last_error_;
};

/// Waits until `descriptor` can be read (or written), at most until `deadline`; whether it can.
[[nodiscard]] bool wait_for(int descriptor, bool for_writing, Link::Clock::time_point deadline);

/// Keys of the advisory locks in the service's database: "ota" and a number.
inline constexpr std::int64_t kLeaderLockKey = 0x6f746101;
inline constexpr std::int64_t kMigrationLockKey = 0x6f746102;

}  // namespace ota::sql
