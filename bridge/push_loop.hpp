#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bridge/mqtt_link.hpp"
#include "bridge/offer_publisher.hpp"
#include "fleet/ports/front_desk.hpp"
#include "fleet/ports/push_store.hpp"
#include "topics/names.hpp"

namespace ota::bridge {

/// The leader's side of the offers table: works out the offers of a model's devices after its releases or
/// rollouts changed, publishes what a crash or a lost connection left due, and reconciles the broker after a
/// connect.
class PushLoop {
 public:
  struct Ports {
    std::unique_ptr<fleet::PushStore> store;
    std::unique_ptr<fleet::ReconcileStore> reconcile;
    const fleet::CatalogSource* catalogs = nullptr;
    fleet::Sha256 sha256 = nullptr;
    fleet::LocalClock local_clock = nullptr;
    OfferPublisher* publisher = nullptr;
    MqttLink* link = nullptr;
    /// Makes the catalog at least as new as the requests just read; false: try again later.
    std::function<bool()> refresh_catalog;
    const topics::Names* names = nullptr;
    /// Publishes something on a topic this link hears, which comes back after all retained offers.
    std::function<void()> send_marker;
    std::function<bool()> leads;
    std::function<fleet::Time()> now;
    /// Whether the marker would come back: the link is up and its topic subscribed to. Thread safe.
    std::function<bool()> can_read;
    int per_second_max = 0;  ///< 0: as fast as the broker acknowledges
    /// Devices' topics are subscribed to as a group, to which the broker sends nothing that stood before:
    /// what devices have retained is read together with the offers.
    bool is_shared = false;
  };

  explicit PushLoop(Ports ports);
  ~PushLoop();
  void start();
  void stop();

  /// The catalog changed: open requests are looked at soon. Thread safe.
  void wake();
  /// The broker is (again) there, or this process became the leader: compare its retained offers with the
  /// truth. Thread safe.
  void reconcile();
  /// Whether that comparison is still due or under way. Thread safe.
  [[nodiscard]] bool is_comparing();
  /// A device asked and its rollout's rate let it wait: it is reached when others have finished. Thread safe.
  void turned_away(std::int64_t rollout_id, const fleet::Device& device);
  /// A retained offer as the broker delivers it, and the sign that all of them have been delivered. On the
  /// library's receive thread; neither blocks.
  void saw_retained(const std::string& device_id, std::int64_t attempt_id);
  void saw_all_retained();

 private:
  // Where pushing a rollout with a rate goes on: no device after `after` has been reached.
  struct Waiting {
    std::string model;
    std::string after;
  };

  void run();
  void turn();
  void follow();
  void compare_if_due();
  void push_model(const fleet::PushRequest& request);
  bool push_page(const std::string& model, std::string& after);
  bool begin_where_rates_stopped();
  void go_on_where_rates_stopped();
  void hand_over_waiting();
  void wait_at(std::int64_t rollout_id, const std::string& model, const std::string& after);
  void publish_due();
  [[nodiscard]] std::vector<Subscription> to_read() const;
  bool read_retained();
  void compare_with_truth();
  void pace(std::size_t published);

  Ports ports_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
  bool reconcile_due_ = false;
  bool comparing_ = false;  // reconcile_due_, and until it is done
  bool all_seen_ = false;
  std::map<std::int64_t, Waiting> waiting_;  // by rollout
  std::vector<fleet::RetainedOffer> seen_;

  // The loop's own.
  bool compared_ = false;  // since it leads
  bool rates_known_ = false;
  std::chrono::steady_clock::time_point hand_over_at_{};

  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace ota::bridge
