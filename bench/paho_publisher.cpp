// The fastest bare Paho can place retained QoS 1 messages on distinct topics: what a push is measured
// against.
#include <CLI/CLI.hpp>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>

#include "bench/paho_connect.hpp"

namespace ota::bench {
namespace {

/// Counts what is unacknowledged, and lets the sender wait for room.
class Window : public mqtt::iaction_listener {
 public:
  explicit Window(int size) : size_(size) {}

  void enter() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return outstanding_ < size_; });
    ++outstanding_;
  }

  void wait_until_empty() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return outstanding_ == 0; });
  }

 private:
  void on_success(const mqtt::token&) override {
    const std::lock_guard lock(mutex_);
    --outstanding_;
    // A wake-up per acknowledgement would be the larger part of the work.
    if (outstanding_ == size_ / 2 || outstanding_ == 0) changed_.notify_one();
  }
  void on_failure(const mqtt::token&) override { die("the broker refused a publication"); }

  const int size_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int outstanding_ = 0;
};

int run(const PahoOptions& options, int count, int payload_bytes, int window_size) {
  mqtt::async_client client("tcp://" + options.broker, "bench-publisher",
                            mqtt::create_options(MQTTVERSION_5, kPahoBufferedMessagesMax));
  connect_paho(client, options);
  const std::string offer(static_cast<std::size_t>(payload_bytes), 'o');
  Window window(window_size);
  const auto start = Clock::now();
  for (int i = 0; i < count; ++i) {
    window.enter();
    const auto topic = options.root + "/device/push-" + std::to_string(i) + "/offer";
    client.publish(mqtt::make_message(topic, offer, 1, options.retained), nullptr, window);
  }
  window.wait_until_empty();
  const double elapsed_s = seconds_since(start);
  client.disconnect()->wait();
  print_figures({{"rate", count / elapsed_s}, {"seconds", elapsed_s}});
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace ota::bench

int main(int argc, char** argv) {
  ota::bench::PahoOptions options;
  options.retained = true;
  int count = 100000;
  int payload_bytes = 300;
  int window = 200;
  CLI::App app("Publishes retained offers with bare Paho");
  app.add_option("--broker", options.broker, "host:port")->required();
  app.add_option("--username", options.username)->envname("MQTT_USERNAME");
  app.add_option("--password", options.password)->envname("MQTT_PASSWORD");
  app.add_option("--root", options.root);
  app.add_option("--count", count)->check(CLI::Range(1, 10000000));
  app.add_option("--bytes", payload_bytes)->check(CLI::Range(1, 1024));
  app.add_option("--window", window, "most unacknowledged publications")->check(CLI::Range(1, 60000));
  CLI11_PARSE(app, argc, argv);
  return ota::bench::run(options, count, payload_bytes, window);
}
