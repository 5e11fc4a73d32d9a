#pragma once
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/esp-client/fake_platform.hpp"

// Offers with a signed manifest, and a device that takes no others.
namespace ota::device::tests {

// A signature here is the digest of key and text: the real ones are the host port's, with its own test.
inline std::string sign(const std::string& key_id, const std::string& text) {
  return fake_sha256_hex(key_id + text);
}

class KnownKey final : public Signatures {
 public:
  [[nodiscard]] bool verify(std::string_view key_id, std::string_view signed_text,
                            std::string_view signature) override {
    return key_id == "prod-1" && signature == sign(std::string(key_id), std::string(signed_text));
  }
};

inline const std::string& image() {
  static const std::string bytes = image_of(20'000);
  return bytes;
}

struct Words {
  std::string model = "esp32";
  std::string version = "1.1.0";
  std::string sequence = "7";
  std::string min_version;
  std::string size = std::to_string(image().size());
  std::string sha256 = fake_sha256_hex(image());
  std::string expires;
  std::string key = "prod-1";

  [[nodiscard]] std::string text() const {
    return "ota-manifest-v1\nmodel=" + model + "\nversion=" + version + "\nsequence=" + sequence + "\n" +
           (min_version.empty() ? "" : "min_version=" + min_version + "\n") + "size=" + size +
           "\nsha256=" + sha256 + "\n" + (expires.empty() ? "" : "expires=" + expires + "\n") + "key=" + key +
           "\n";
  }
  [[nodiscard]] std::string manifest() const { return text() + "signature=" + sign(key, text()) + "\n"; }
};

inline std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '\n' ? "\\n" : std::string(1, c);
  return out;
}

inline std::string with_manifest(const std::string& manifest, const std::string& extra = "",
                                 const std::string& version = "1.1.0", int attempt = 257) {
  return offer_json(image(), version, attempt, R"(,"manifest":")" + escaped(manifest) + "\"" + extra);
}

class Trust : public ::testing::Test {
 protected:
  void SetUp() override { FakePlatform::signatures = &key_; }
  void TearDown() override {
    FakePlatform::signatures = nullptr;
    FakePlatform::built_at_s = 0;
  }
  // From the offer to the confirmed image.
  void install(const std::string& offer) {
    FakePlatform device(flash_);
    device.agent().on_connected();
    device.offer(offer);
    ASSERT_TRUE(device.downloading);
    device.serve(image());
    device.ack(value_of(device.last(Topic::kStatus), "report_id"));
    ASSERT_TRUE(device.reboot_wanted);
    FakePlatform restarted(flash_);
    restarted.agent().on_connected();
    restarted.ack(value_of(restarted.last(Topic::kStatus), "report_id"));
    ASSERT_EQ(restarted.settled.size(), 1U);
    ASSERT_EQ(restarted.settled[0].first.status, Status::kSuccess);
  }
  // Why a device refuses an offer; empty when it begins with it.
  std::string refusal_of(const std::string& offer) {
    const std::string slot_before = flash_.slots[1 - flash_.active];
    FakePlatform device(flash_);
    device.agent().on_connected();
    device.offer(offer);
    if (device.downloading) return "";
    EXPECT_EQ(flash_.slots[1 - flash_.active], slot_before) << "a refused offer touches no slot";
    return value_of(device.last(Topic::kStatus), "error_message");
  }

  KnownKey key_;
  Flash flash_;
};

}  // namespace ota::device::tests
