// The device shares no code with the server: here the two sides must agree.
#include <gtest/gtest.h>

#include "esp-client/core/manifest.hpp"
#include "esp-client/core/messages.hpp"
#include "esp-client/core/ports.hpp"
#include "fleet/version.hpp"
#include "tests/support/golden.hpp"
#include "topics/names.hpp"
#include "topics/payloads.hpp"

namespace ota {
namespace {

using tests::golden;

TEST(ServerAgreement, OnTheTopics) {
  const auto names = topics::Names::make("ota/v1").value();
  const std::pair<topics::DeviceTopic, device::Topic> pairs[] = {
      {topics::DeviceTopic::check, device::Topic::kCheck},
      {topics::DeviceTopic::offer, device::Topic::kOffer},
      {topics::DeviceTopic::status, device::Topic::kStatus},
      {topics::DeviceTopic::ack, device::Topic::kAck},
      {topics::DeviceTopic::presence, device::Topic::kPresence},
  };
  for (const auto& [server, client] : pairs) {
    EXPECT_EQ(names.device("esp32_001", server),
              "ota/v1/device/esp32_001/" + std::string(device::topic_suffix(client)));
  }
}

class EverySignature final : public device::Signatures {
 public:
  [[nodiscard]] bool verify(std::string_view, std::string_view, std::string_view) override { return true; }
};

// Whether a device that runs `running` starts from there with an image whose min_version is `least`.
bool device_starts(const std::string& running, const std::string& least) {
  device::Offer offer;
  offer.version.append_cut("9.0.0");
  offer.sha256.append_cut(std::string(64, 'a'));
  offer.size_bytes = 1;
  offer.manifest.append_cut("ota-manifest-v1\nmodel=m1\nversion=9.0.0\nsequence=1\nmin_version=" + least +
                            "\nsize=1\nsha256=" + std::string(64, 'a') + "\nkey=k1\nsignature=s\n");
  device::TrustFloor floor;
  floor.model = "m1";
  floor.running_version = running;
  EverySignature signatures;
  device::Vouched vouched;
  return device::judge_manifest(offer, floor, signatures, vouched) == nullptr;
}

TEST(ServerAgreement, OnWhereAnImageMayBeInstalledFrom) {
  const std::pair<const char*, const char*> starts[] = {{"1", "1"},
                                                        {"1", "1.0.0"},
                                                        {"1.0.0", "1"},
                                                        {"1", "1.0.1"},
                                                        {"1.0.1", "1"},
                                                        {"1", "2"},
                                                        {"2", "1.9.9"},
                                                        {"v1.2", "1.2.0"},
                                                        {"1.2.0", "v1.2"},
                                                        {"v1.2", "1.2.1"},
                                                        {"V1.2", "v1.2"},
                                                        {"1.10", "1.9"},
                                                        {"1.2+build", "1"},
                                                        {"1.2-rc.1", "1.3"},
                                                        {"1.3-rc.1", "1.2"},
                                                        {"1.2.3-4-gabcdef0", "1.2.3"},
                                                        {"1.2.3.4", "1.2"},
                                                        {"1.2.", "1.2"},
                                                        {"nightly", "1"},
                                                        {"1", "nightly"},
                                                        {"nightly", "nightly"}};
  for (const auto& [running, least] : starts) {
    const auto order = fleet::compare_versions(running, least);
    EXPECT_EQ(device_starts(running, least), order == fleet::Order::same || order == fleet::Order::newer)
        << "from " << running << " with min_version " << least;
  }
}

TEST(ServerAgreement, OnWhatTheDeviceWrites) {
  EXPECT_TRUE(topics::decode_check(golden("check.json")));
  EXPECT_TRUE(topics::decode_presence(golden("presence_online.json")));
  EXPECT_TRUE(topics::decode_presence(device::kOffline));
  for (const char* name : {"status_downloading.json", "status_success.json", "status_failed.json"}) {
    EXPECT_TRUE(topics::decode_report(golden(name), "esp32_001")) << name;
  }
}

}  // namespace
}  // namespace ota
