#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bridge/broker_visit.hpp"
#include "bridge/canary_file.hpp"
#include "bridge/crl_file.hpp"
#include "bridge/issuing_authority.hpp"
#include "fleet/ports/revocation_store.hpp"

namespace ota::bridge {

/// How the revocation list stands.
struct RevocationState {
  fleet::Time ends_at{};  ///< when the list ends and the broker refuses everybody
  std::string problem;    ///< in words for everybody, without hosts and paths of ours; empty: all is well
};

/// Keeps the broker's revocation list in step with the database: writes it at every revocation and long
/// before it ends, has the broker read it, tries with a canary whether the broker really refuses, and ends
/// the connections of the revoked. All that is due follows from the database and the file, so a crash at any
/// point only repeats it, and several bridges may each keep a copy.
class RevocationKeeper {
 public:
  struct Ports {
    std::unique_ptr<fleet::RevocationStore> store;
    const IssuingAuthority* authority = nullptr;
    std::function<fleet::Time()> now;
    /// Makes the broker read the list; empty where something else watches the file. An error is a sentence.
    std::function<fleet::Expected<void>()> reload;
    /// Visits the devices' listener with a canary; empty: the broker is not tried.
    std::function<Visit(const Canary&)> probe;
    /// Ends the connection under a device's client id; empty: there is no broker.
    std::function<Visit(const std::string& device_id)> cut;
    std::string crl_file;
    int crl_days = 90;
  };

  explicit RevocationKeeper(Ports ports);
  ~RevocationKeeper();
  void start();
  void stop();

  /// Something was revoked; noticed within a second anyway. Thread safe.
  void wake();
  /// Thread safe.
  [[nodiscard]] RevocationState state() const;
  /// The list as it lies on the disk, for others to fetch; `not_found` when it cannot be read. Thread safe.
  [[nodiscard]] fleet::Expected<std::string> list_der() const { return read_crl_der(ports_.crl_file); }

  /// One turn. For the loop itself and for tests, on one thread.
  void turn();

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;

  void run();
  fleet::Expected<void> keep();
  fleet::Expected<void> bring_up_to_date();
  fleet::Expected<std::vector<fleet::RevokedSerial>> gather(const fleet::Expected<RevocationList>& on_disk);
  fleet::Expected<void> write(std::vector<fleet::RevokedSerial> revoked);
  fleet::Expected<void> put_in_force();
  fleet::Expected<void> await_refusal();
  fleet::Expected<void> try_broker();
  struct Cut {
    std::vector<fleet::UncutDevice> done;  ///< not connected any more, which is noted
    std::vector<fleet::UncutDevice> left;  ///< perhaps still connected
  };
  Cut cut(const std::vector<fleet::UncutDevice>& devices);
  bool end_connection(const std::string& device_id, bool& answers);
  [[nodiscard]] bool needs_canary(const RevocationList& on_disk) const;
  void note(const fleet::Expected<void>& outcome);
  bool pause(std::chrono::milliseconds time);

  Ports ports_;
  CrlFile file_;
  CanaryFile canary_file_;
  // Each list has a canary of its own: a broker that refuses it has read that list, or a later one.
  std::optional<Canary> canary_;
  fleet::Time ends_at_{};
  bool reload_due_ = true;  // a process before may have written the list and died
  SteadyTime
      look_at_{};  // when the file and the database are compared even if nothing is known to have changed
  SteadyTime probe_at_{};                     // when the broker is tried again
  SteadyTime again_at_{};                     // after a failure
  std::vector<fleet::UncutDevice> unproven_;  // cut while the broker could not be shown to refuse them

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  RevocationState state_;
  bool woken_ = false;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace ota::bridge
