// The core allocates nothing, from the boot to the acknowledged success.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "esp-client/core/agent.hpp"

namespace {
// One thread; counts only between the two calls of the test.
bool counting = false;
std::size_t allocations = 0;
}  // namespace

// The global operators of this executable alone. Inlined, they look to the compiler like a wrong pairing.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  if (counting) ++allocations;
  if (void* memory = std::malloc(bytes != 0 ? bytes : 1)) return memory;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace ota::device {
namespace {

constexpr std::uint64_t kImageBytes = 8192;
constexpr std::string_view kOffer =
    R"({"update_available":true,"latest_version":"1.1.0","download_url":"/d/1.1.0","file_size":8192,)"
    R"("checksum_sha256":"0000000000000000000000000000000000000000000000000000000000000000","attempt_id":7})";

// Ports without a heap of their own.
class BarePorts final : public Mqtt, public Download, public Slots, public Clock, public Storage {
 public:
  void publish(Topic topic, std::string_view payload, bool) override {
    ++published;
    if (topic != Topic::kStatus) return;
    status.clear();
    status.append_cut(payload);
  }
  void start(std::string_view, std::uint64_t) override { ++started; }
  void stop() override {}
  BootInfo boot_info() override { return info; }
  [[nodiscard]] bool open(std::uint64_t) override { return true; }
  [[nodiscard]] bool write(const std::uint8_t*, std::size_t) override { return true; }
  [[nodiscard]] bool sha256(std::uint64_t, Digest& out) override {
    out.fill(0);
    return true;
  }
  [[nodiscard]] bool activate(const Version& version) override {
    info.running_version = version;
    info.on_trial = true;
    return true;
  }
  [[nodiscard]] bool confirm() override {
    info.on_trial = false;
    return true;
  }
  std::uint64_t now_ms() override { return time_ms += 700; }
  std::uint64_t random_u64() override { return 4; }
  void reboot(Reboot) override { rebooted = true; }
  [[nodiscard]] std::size_t load(char* buffer, std::size_t capacity) override {
    if (record.view().size() <= capacity) record.view().copy(buffer, capacity);
    return record.view().size();
  }
  [[nodiscard]] bool save(std::string_view blob) override { return record.assign(blob); }

  // The message that acknowledges the last status.
  FixedString<128> ack() const {
    const std::string_view text = status.view();
    const std::size_t at = text.find("\"report_id\"");
    FixedString<128> message;
    return message.append_cut("{\"recorded\":true,").append_cut(text.substr(at));
  }

  FixedString<2048> status;
  FixedString<kRecordBytesMax> record;
  BootInfo info;
  std::uint64_t time_ms = 0;
  unsigned published = 0;
  unsigned started = 0;
  bool rebooted = false;
};

void run_until_reboot(Agent& agent) {
  static const std::uint8_t piece[512] = {};
  agent.boot();
  agent.on_connected();
  agent.on_message(Topic::kOffer, kOffer, true);
  ResponseHead head;
  head.status = 200;
  EXPECT_TRUE(agent.on_response(head));
  for (std::uint64_t at = 0; at < kImageBytes; at += sizeof piece) {
    EXPECT_TRUE(agent.on_data(piece, sizeof piece));
    agent.poll();
  }
  agent.on_download_end("");
}

TEST(NoHeap, AWholeUpdateAllocatesNothing) {
  Identity identity;
  identity.device_id.append_cut("d1");
  identity.model.append_cut("m1");
  BarePorts ports;
  ports.info.running_version.append_cut("1.0.0");
  ports.info.slot_bytes = 10'000;
  const Ports all{ports, ports, ports, ports, ports, nullptr};

  allocations = 0;
  counting = true;
  {
    Agent agent(identity, Timing(), all);
    run_until_reboot(agent);
    agent.on_message(Topic::kAck, ports.ack().view(), true);
  }
  const bool rebooted = ports.rebooted;
  {
    Agent agent(identity, Timing(), all);
    agent.boot();
    agent.on_connected();
    agent.on_message(Topic::kAck, ports.ack().view(), true);
    for (int i = 0; i < 1000; ++i) agent.poll();
  }
  counting = false;

  EXPECT_EQ(allocations, 0U);
  EXPECT_TRUE(rebooted);
  EXPECT_EQ(ports.started, 1U);
  EXPECT_NE(ports.status.view().find("success"), std::string_view::npos);
  EXPECT_EQ(ports.info.running_version.view(), "1.1.0");
}

TEST(NoHeap, ADeviceFitsIntoAFewKilobytes) {
  EXPECT_LE(sizeof(Agent), 10'240U);
}

}  // namespace
}  // namespace ota::device
