// Devices on MQTT: each connection publishes a check, waits for its offer, and asks again at once.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/measure.hpp"
#include "bench/mqtt_wire.hpp"

namespace ota::bench {
namespace {

using namespace std::chrono_literals;

// A check without an offer for so long is lost; the device asks again.
constexpr auto kLostAfter = 5s;
// Nothing more is under way when nothing came for so long.
constexpr auto kQuiet = 500ms;

struct Options {
  std::string broker;
  std::string root = "ota/v1";
  std::string prefix = "mqtt-";
  std::string model = "bench";
  int connections = 500;
  double seconds = 4;
  double warm_up_seconds = 1;
};

struct Device {
  int fd = -1;
  std::string check_topic;
  std::string received;
  std::uint16_t packet_id = 0;
  Clock::time_point asked_at;
  bool waits = false;
};

class Load {
 public:
  explicit Load(Options options) : options_(std::move(options)), address_(parse_address(options_.broker)) {}

  int run() {
    poll_ = epoll_create1(EPOLL_CLOEXEC);
    devices_.resize(static_cast<std::size_t>(options_.connections));
    for (std::size_t i = 0; i < devices_.size(); ++i) join(i);
    while (subscribed_ < options_.connections) serve();
    // The first contact may bring more than one message: the answer, and the offer that now stands. All of it
    // must have come before the measurement, or a device takes it for the answer to its next check and has
    // two checks under way from then on.
    for (auto& device : devices_) ask(device);
    serve_until_quiet();
    asks_again_ = true;
    unasked_ = 0;
    for (auto& device : devices_) ask(device);
    serve_for(options_.warm_up_seconds);
    latencies_ = {};
    const auto start = Clock::now();
    serve_for(options_.seconds);
    const double elapsed_s = seconds_since(start);
    asks_again_ = false;
    serve_until_quiet();
    print_figures({{"rate", static_cast<double>(latencies_.count()) / elapsed_s},
                   {"p50_ms", latencies_.percentile_ms(50)},
                   {"p99_ms", latencies_.percentile_ms(99)},
                   {"max_ms", latencies_.percentile_ms(100)},
                   {"checks", static_cast<double>(latencies_.count())},
                   {"lost", static_cast<double>(lost_)},
                   {"unasked", static_cast<double>(unasked_)},
                   {"offer_bytes", static_cast<double>(offer_bytes_)}});
    return EXIT_SUCCESS;
  }

 private:
  void join(std::size_t index) {
    auto& device = devices_[index];
    const auto id = options_.prefix + std::to_string(index);
    const auto topics = options_.root + "/device/" + id;
    device.check_topic = topics + "/check";
    device.fd = connect_to(address_);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    epoll_ctl(poll_, EPOLL_CTL_ADD, device.fd, &event);
    send(device, mqtt::connect(id) + mqtt::subscribe(topics + "/offer"));
  }

  static void send(const Device& device, const std::string& bytes) {
    if (!send_all(device.fd, bytes)) die("the broker has closed a connection");
  }

  void serve_until_quiet() {
    auto heard_at = Clock::now();
    while (Clock::now() - heard_at < kQuiet) {
      if (serve(kQuiet)) heard_at = Clock::now();
    }
  }

  void serve_for(double seconds) {
    const auto start = Clock::now();
    while (seconds_since(start) < seconds) {
      serve();
      // Rarely: a walk over all devices.
      if (Clock::now() - last_search_ < 1s) continue;
      last_search_ = Clock::now();
      for (auto& device : devices_) {
        if (!device.waits || last_search_ - device.asked_at < kLostAfter) continue;
        ++lost_;
        ask(device);
      }
    }
  }

  // Answers whether anything came.
  bool serve(std::chrono::milliseconds patience = 1s) {
    const int ready = epoll_wait(poll_, events_.data(), static_cast<int>(events_.size()),
                                 static_cast<int>(patience.count()));
    if (ready == 0 && subscribed_ < options_.connections) die("the broker does not answer");
    for (int i = 0; i < ready; ++i) receive(devices_[events_[static_cast<std::size_t>(i)].data.u64]);
    return ready > 0;
  }

  [[nodiscard]] std::string next_check(Device& device) const {
    if (++device.packet_id == 0) device.packet_id = 1;
    return mqtt::publish(device.check_topic,
                         "{\"device_model\":\"" + options_.model + "\",\"current_version\":\"1.0.0\"}",
                         device.packet_id);
  }

  void ask(Device& device) {
    device.asked_at = Clock::now();
    device.waits = true;
    send(device, next_check(device));
  }

  void receive(Device& device) {
    std::array<char, 8192> bytes;
    const auto count = recv(device.fd, bytes.data(), bytes.size(), 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) die("the broker has closed a connection");
    device.received.append(bytes.data(), static_cast<std::size_t>(count));
    std::size_t used = 0;
    while (const auto packet = mqtt::read_packet(std::string_view(device.received).substr(used))) {
      take(device, *packet);
      used += packet->size_bytes;
    }
    device.received.erase(0, used);
  }

  void take(Device& device, const mqtt::Packet& packet) {
    switch (packet.type) {
      case mqtt::PacketType::connack:
        if (packet.body[1] != 0) die("the broker refuses the devices");
        return;
      case mqtt::PacketType::suback:
        ++subscribed_;
        return;
      case mqtt::PacketType::publish:
        return take_offer(device, packet);
      case mqtt::PacketType::puback:
        return;
    }
  }

  void take_offer(Device& device, const mqtt::Packet& packet) {
    const auto acknowledgement =
        packet.qos() > 0 ? mqtt::puback(mqtt::publication_id(packet)) : std::string();
    if (packet.is_retained() || !device.waits) {
      if (!packet.is_retained()) ++unasked_;
      return send(device, acknowledgement);
    }
    latencies_.add(Clock::now() - device.asked_at);
    offer_bytes_ = packet.body.size();
    device.waits = false;
    if (!asks_again_) return send(device, acknowledgement);
    // In one segment, as a device's stack would.
    device.asked_at = Clock::now();
    device.waits = true;
    send(device, acknowledgement + next_check(device));
  }

  const Options options_;
  const Address address_;
  int poll_ = -1;
  std::array<epoll_event, 64> events_{};
  std::vector<Device> devices_;
  Latencies latencies_;
  Clock::time_point last_search_ = Clock::now();
  int subscribed_ = 0;
  bool asks_again_ = false;
  long lost_ = 0;
  long unasked_ = 0;
  std::size_t offer_bytes_ = 0;
};

}  // namespace
}  // namespace ota::bench

int main(int argc, char** argv) {
  ota::bench::Options options;
  CLI::App app("Checks over MQTT as fast as the offers come");
  app.add_option("--broker", options.broker, "host:port of a listener without TLS")->required();
  app.add_option("--root", options.root);
  app.add_option("--prefix", options.prefix, "device ids are this and a number");
  app.add_option("--model", options.model);
  app.add_option("--connections", options.connections)->check(CLI::Range(1, 20000));
  app.add_option("--seconds", options.seconds)->check(CLI::Range(0.1, 3600.0));
  app.add_option("--warm-up-seconds", options.warm_up_seconds)->check(CLI::Range(0.0, 60.0));
  CLI11_PARSE(app, argc, argv);
  ota::bench::raise_descriptor_limit();
  return ota::bench::Load(options).run();
}
