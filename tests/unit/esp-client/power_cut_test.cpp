// The power goes at every single write of an update, and at every pair of them.
#include <gtest/gtest.h>

#include "tests/unit/esp-client/fake_platform.hpp"

namespace ota::device::tests {
namespace {

const std::string kImage = image_of(23'456);
constexpr const char* kTarget = "1.1.0";

// The bridge, as far as one device sees it.
class Bridge {
 public:
  explicit Bridge(const Flash& flash) : flash_(flash) {}

  // Answers what the device has said since the last call. False: it had said nothing.
  bool answer(FakePlatform& device) {
    const bool something = heard_ < device.published.size();
    while (heard_ < device.published.size() && device.powered && !device.reboot_wanted) {
      const Message message = device.published[heard_++];
      if (message.topic == Topic::kCheck) on_check(device, message.payload);
      if (message.topic == Topic::kStatus) on_status(device, message.payload);
    }
    return something;
  }
  void forget_position() { heard_ = 0; }

  unsigned successes = 0;
  unsigned other_results = 0;

 private:
  void on_check(FakePlatform& device, const std::string& payload) {
    EXPECT_EQ(value_of(payload, "current_version"), flash_.version);
    // The bridge takes an old version and a new boot after "installing" for a roll-back.
    EXPECT_FALSE(installing_told_ && flash_.version != kTarget)
        << "a hello of the old image after installing";
    device.offer(flash_.version == kTarget ? R"({"update_available":false})" : offer_json(kImage, kTarget));
  }
  void on_status(FakePlatform& device, const std::string& payload) {
    const std::string status = value_of(payload, "status");
    if (status == "success") {
      EXPECT_EQ(flash_.version, kTarget) << "success while the old image runs";
      EXPECT_FALSE(flash_.on_trial) << "success before the new image was kept";
      ++successes;
    }
    installing_told_ = installing_told_ || status == "installing";
    if (status == "failed" || status == "rolled_back") ++other_results;
    device.ack(value_of(payload, "report_id"));
  }

  const Flash& flash_;
  std::size_t heard_ = 0;
  bool installing_told_ = false;
};

// One boot until the power goes, the device reboots, or all is quiet. True: quiet.
bool run_one_boot(Flash& flash, Bridge& bridge, std::uint64_t& now_ms) {
  FakePlatform device(flash, now_ms);
  bridge.forget_position();
  if (device.powered && !device.reboot_wanted) device.agent().on_connected();
  for (int step = 0; step < 200 && device.powered && !device.reboot_wanted; ++step) {
    if (bridge.answer(device)) continue;
    if (device.downloading) {
      device.serve(kImage);
      continue;
    }
    const bool quiet = device.agent().machine().state() == State::kIdle &&
                       device.agent().machine().record().result_count == 0 && flash.version == kTarget;
    if (quiet) return true;
    device.advance_to_deadline();
  }
  now_ms = device.now_ms() + 1000;
  return false;
}

// Whatever boots next must be a whole image.
void expect_bootable(const Flash& flash) {
  if (flash.version == kTarget) {
    EXPECT_EQ(flash.slots[flash.active], kImage);
  } else {
    EXPECT_EQ(flash.version, "1.0.0");
    EXPECT_EQ(flash.slots[flash.active], "the old image");
  }
}

// Runs an update during which the power is cut after each of the given numbers of writes. Returns the
// number of writes the last, uncut stretch needed.
int update_with_cuts(const std::vector<int>& cuts) {
  Flash flash;
  flash.slots[0] = "the old image";
  Bridge bridge(flash);
  std::uint64_t now_ms = 1'000'000;
  for (const int writes : cuts) {
    FakePlatform::writes_left = writes;
    // A normal reboot belongs to the stretch: the count goes on over it.
    while (FakePlatform::writes_left >= 0) {
      if (run_one_boot(flash, bridge, now_ms)) break;
      expect_bootable(flash);
    }
    expect_bootable(flash);
  }
  constexpr int kPlenty = 1'000'000;
  FakePlatform::writes_left = kPlenty;
  bool quiet = false;
  for (int boots = 0; boots < 6 && !quiet; ++boots) quiet = run_one_boot(flash, bridge, now_ms);
  const int needed = kPlenty - FakePlatform::writes_left;
  FakePlatform::writes_left = -1;
  EXPECT_TRUE(quiet) << "the update did not finish";
  EXPECT_EQ(flash.version, kTarget);
  EXPECT_EQ(flash.slots[flash.active], kImage);
  EXPECT_FALSE(flash.on_trial);
  EXPECT_GE(bridge.successes, 1U);
  EXPECT_EQ(bridge.other_results, 0U);
  return needed;
}

TEST(PowerCut, AtEveryWriteTheUpdateStillFinishes) {
  const int writes = update_with_cuts({});
  ASSERT_GT(writes, 30) << "a write per piece of the image, and the records";
  for (int at = 0; at < writes; ++at) {
    SCOPED_TRACE("cut at write " + std::to_string(at));
    update_with_cuts({at});
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(PowerCut, TwiceInOneUpdate) {
  const int writes = update_with_cuts({});
  for (int first = 0; first < writes; ++first) {
    for (int second = 0; second < writes; ++second) {
      SCOPED_TRACE("cut at write " + std::to_string(first) + " and " + std::to_string(second) + " later");
      update_with_cuts({first, second});
      if (::testing::Test::HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace ota::device::tests
