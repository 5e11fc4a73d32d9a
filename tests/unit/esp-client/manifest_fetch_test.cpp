// A manifest that had no room in its offer is fetched before the image.
#include <gtest/gtest.h>

#include "tests/unit/esp-client/signed_offers.hpp"

namespace ota::device::tests {
namespace {

std::string with_url() {
  return offer_json(image(), "1.1.0", 257,
                    R"(,"manifest_url":"/api/firmware/manifest/1.1.0?device_model=esp32")");
}

bool serve_manifest(FakePlatform& device, const std::string& text) {
  ResponseHead head;
  head.status = 200;
  device.downloading = false;
  if (!device.agent().on_response(head) || !device.feed(text)) return false;
  device.agent().on_download_end("");
  return true;
}

TEST_F(Trust, AManifestByUrlIsFetchedBeforeTheImage) {
  FakePlatform device(flash_);
  device.agent().on_connected();
  device.offer(with_url());
  ASSERT_EQ(device.download_url, "/api/firmware/manifest/1.1.0?device_model=esp32");
  EXPECT_EQ(device.agent().machine().state(), State::kIdle);
  ASSERT_TRUE(serve_manifest(device, Words().manifest()));
  EXPECT_EQ(device.download_url, "/api/firmware/download/1.1.0");
  device.serve(image());
  EXPECT_EQ(device.agent().machine().state(), State::kInstalling);
}

TEST_F(Trust, AFetchedManifestIsJudgedLikeAnyOther) {
  FakePlatform device(flash_);
  device.agent().on_connected();
  device.offer(with_url());
  Words words;
  words.key = "evil-1";
  serve_manifest(device, words.manifest());
  EXPECT_FALSE(device.downloading);
  EXPECT_EQ(value_of(device.last(Topic::kStatus), "error_message"),
            "offer refused: its manifest is not signed by a key of this device");
}

TEST_F(Trust, AnEndlessManifestIsCut) {
  FakePlatform device(flash_);
  device.agent().on_connected();
  device.offer(with_url());
  EXPECT_FALSE(serve_manifest(device, std::string(5000, 'x')));
  EXPECT_EQ(device.agent().machine().state(), State::kIdle);
}

TEST_F(Trust, AManifestThatDoesNotComeIsAskedForWithTheNextCheck) {
  FakePlatform device(flash_);
  device.agent().on_connected();
  device.offer(with_url());
  const auto checks = device.count(Topic::kCheck);
  device.agent().on_download_end("connection reset");
  while (device.count(Topic::kCheck) == checks) ASSERT_TRUE(device.advance_to_deadline());
  device.offer(with_url());
  EXPECT_TRUE(serve_manifest(device, Words().manifest()));
  EXPECT_EQ(device.agent().machine().state(), State::kLoading);
}

TEST_F(Trust, TheSameOfferDuringTheDownloadNeedsNoSecondFetch) {
  FakePlatform device(flash_);
  device.agent().on_connected();
  device.offer(with_url());
  ASSERT_TRUE(serve_manifest(device, Words().manifest()));
  ASSERT_EQ(device.download_url, "/api/firmware/download/1.1.0");
  device.offer(with_url());
  EXPECT_EQ(device.download_url, "/api/firmware/download/1.1.0");
  EXPECT_EQ(device.agent().machine().state(), State::kLoading);
}

}  // namespace
}  // namespace ota::device::tests
