// A manifest that had no room in its offer is fetched before the image.
#include <gtest/gtest.h>

#include "tests/unit/esp-client/signed_offers.hpp"

namespace ota::device::tests {
namespace {

std::string with_url(int attempt = 257) {
  return offer_json(image(), "1.1.0", attempt,
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

std::string withdrawal_of(int attempt) {
  return R"({"update_available":false,"attempt_id":)" + std::to_string(attempt) + R"(,"reason":"withdrawn"})";
}

TEST_F(Trust, AWithdrawnOfferIsNotTakenWhenItsManifestComes) {
  for (const bool live : {true, false}) {
    FakePlatform device(flash_);
    device.agent().on_connected();
    device.offer(with_url());
    device.offer(withdrawal_of(257), live);
    EXPECT_FALSE(device.downloading);
    EXPECT_FALSE(serve_manifest(device, Words().manifest()));
    EXPECT_EQ(device.agent().machine().state(), State::kIdle);
    EXPECT_EQ(device.count(Topic::kStatus), 0U) << "an attempt that was not begun";
  }
}

TEST_F(Trust, ALiveNoUpdateEndsTheFetch) {
  FakePlatform device(flash_);
  device.agent().on_connected();
  device.offer(with_url());
  device.offer(R"({"update_available":false,"current_version":"1.0.0","reason":"paused"})");
  EXPECT_FALSE(device.downloading);
  EXPECT_FALSE(serve_manifest(device, Words().manifest()));
  EXPECT_EQ(device.agent().machine().state(), State::kIdle);
}

TEST_F(Trust, OldWordsAndTheWithdrawalOfAnotherAttemptLeaveTheFetchAlone) {
  FakePlatform device(flash_);
  device.agent().on_connected();
  device.offer(with_url());
  device.offer(withdrawal_of(99));
  device.offer(R"({"update_available":false})", false);
  device.offer("");
  EXPECT_EQ(device.stops, 0U);
  EXPECT_TRUE(serve_manifest(device, Words().manifest()));
  EXPECT_EQ(device.agent().machine().state(), State::kLoading);
}

TEST_F(Trust, ANewerOfferThatWaitsForItsTurnEndsAnOlderFetch) {
  FakePlatform device(flash_);
  device.agent().on_connected();
  device.offer(with_url());
  Words newer;
  newer.version = "1.2.0";
  device.offer(with_manifest(newer.manifest(), R"(,"start_within_seconds":3600)", "1.2.0", 258));
  ASSERT_EQ(device.agent().machine().state(), State::kWaiting);
  EXPECT_FALSE(device.downloading);
  EXPECT_FALSE(serve_manifest(device, Words().manifest()));
  EXPECT_EQ(device.agent().machine().record().target.version.view(), "1.2.0");
}

TEST_F(Trust, ANewerOfferThatIsRefusedEndsAnOlderFetch) {
  std::string unreadable = offer_json(image(), "1.2.0", 258);
  unreadable.replace(unreadable.find(fake_sha256_hex(image())), 64, "not a hash");
  for (const std::string& refused : {unreadable, offer_json(image(), "1.2.0", 258)}) {
    FakePlatform device(flash_);
    device.agent().on_connected();
    device.offer(with_url());
    device.offer(refused);
    EXPECT_FALSE(device.downloading);
    EXPECT_FALSE(serve_manifest(device, Words().manifest()));
    EXPECT_EQ(device.agent().machine().state(), State::kIdle);
  }
}

TEST_F(Trust, AFetchedManifestCountsForTheNewestAttempt) {
  FakePlatform device(flash_);
  device.agent().on_connected();
  device.offer(with_url(257));
  device.offer(with_url(300));
  device.offer(withdrawal_of(257));
  ASSERT_TRUE(serve_manifest(device, Words().manifest()));
  EXPECT_EQ(value_of(device.last(Topic::kStatus), "attempt_id"), "300");
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
