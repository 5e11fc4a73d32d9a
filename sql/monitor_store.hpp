#pragma once

#include <memory>

#include "fleet/ports/monitor_store.hpp"
#include "sql/connect_options.hpp"

namespace ota::sql {

/// Events and rollout figures for monitors. One connection; belongs to one thread.
class PgMonitorStore final : public fleet::MonitorStore {
 public:
  /// Connects at the first call, not here.
  explicit PgMonitorStore(const ConnectOptions& options = {});
  ~PgMonitorStore() override;

  [[nodiscard]] fleet::Expected<std::vector<fleet::EventRow>> next_events(int count_max) override;
  [[nodiscard]] fleet::Expected<void> events_published(const std::string& cursor) override;
  [[nodiscard]] fleet::Expected<std::vector<fleet::RolloutFigures>> rollout_figures() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Leadership: a session-level advisory lock, so it goes with the connection. Belongs to one thread.
class PgLeaderLock final : public fleet::LeaderLock {
 public:
  /// Connects at the first call, not here.
  explicit PgLeaderLock(const ConnectOptions& options = {});
  ~PgLeaderLock() override;

  /// Costs one round trip each time: call it every second or so, not per message.
  [[nodiscard]] bool try_lead() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// LISTEN on ota_catalog and ota_keys. New rows of ota_events are not announced (Heard::events stays false):
/// a transaction that notifies holds a lock of the whole cluster while it commits, which would line the
/// writers up. Ask next_events() every so often instead. Belongs to one thread, but wake() is for any.
class PgChangeListener final : public fleet::ChangeListener {
 public:
  /// Connects at the first call, not here.
  explicit PgChangeListener(const ConnectOptions& options = {});
  ~PgChangeListener() override;

  [[nodiscard]] fleet::Expected<Heard> wait(int wait_ms) override;
  void wake() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ota::sql
