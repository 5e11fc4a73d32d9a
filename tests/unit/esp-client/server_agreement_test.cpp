// The device shares no code with the server: here the two sides must agree.
#include <gtest/gtest.h>

#include "esp-client/core/messages.hpp"
#include "esp-client/core/ports.hpp"
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
