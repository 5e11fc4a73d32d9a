#include "topics/payloads.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fleet/download_url.hpp"
#include "tests/support/fleet_builders.hpp"
#include "tests/support/golden.hpp"

namespace ota::topics {
namespace {

using tests::golden;

fleet::OfferAnswer offer_of(fleet::Release release, std::vector<fleet::Release> others = {}) {
  const auto id = release.id;
  others.push_back(std::move(release));
  fleet::OfferAnswer offer;
  offer.catalog = std::make_shared<const fleet::Catalog>(std::move(others), std::vector<fleet::Rollout>{});
  offer.release = offer.catalog->find_release(id);
  offer.current_version = "1.0.0";
  offer.attempt_id = 257;
  return offer;
}

std::string encoded(const fleet::OfferAnswer& offer, const std::string& public_url,
                    const fleet::DownloadUrls& urls = {}) {
  return encode_offer(offer, urls.path(offer, "esp32_001"), public_url);
}

fleet::Release example() {
  auto release = tests::release(2, "1.1.0");
  release.size_bytes = 524288;
  release.sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
  release.notes = "Fixes the watchdog";
  return release;
}

TEST(Payloads, AreTheGoldenExamples) {
  EXPECT_EQ(encoded(offer_of(example()), "https://ota.example"), golden("offer.json"));
  EXPECT_EQ(encode_no_update({"1.1.0", "1.1.0", "already on 1.1.0"}), golden("no_update.json"));
  EXPECT_EQ(encode_ack("b7-3", true, ""), golden("ack.json"));
  EXPECT_EQ(encode_ack("b7-3", false, "progress_percent must be a whole number from 0 to 100"),
            golden("ack_refused.json"));
  EXPECT_EQ(encode_ack("", false, "not valid JSON"), R"({"recorded":false,"reason":"not valid JSON"})")
      << "of a report whose id could not be read";
  EXPECT_EQ(encode_withdrawn(257), golden("withdrawn.json"));
}

TEST(Payloads, OfferFitsADevicesBufferWhateverTheNotesHold) {
  auto release = example();
  release.version = std::string(60, '1') + ".2.3";
  release.model = std::string(64, 'm');
  for (const std::string& notes : {std::string(5000, 'x'), std::string(5000, '"'), std::string(5000, '\x01'),
                                   std::string(3000, '\xff')}) {
    release.notes = notes;
    auto twin = release;
    twin.id = 9;
    twin.model = "other";
    const auto text = encoded(offer_of(release, {twin}), "https://" + std::string(240, 'h'));
    EXPECT_LE(text.size(), fleet::kOfferBytesMax);
    EXPECT_TRUE(nlohmann::json::parse(text, nullptr, false).is_object());
  }
}

TEST(Payloads, OfferWithATicketFitsToo) {
  auto release = example();
  release.version = std::string(60, '1') + ".2.3";
  release.model = std::string(64, 'm');
  release.notes = std::string(5000, 'x');
  const tests::FakeSigner signer;
  const fleet::DownloadUrls urls(&signer, std::chrono::hours(24));
  const auto offer = offer_of(release);
  const auto url = urls.path(offer, std::string(64, 'd'));
  EXPECT_LE(url.size() + 200, 512U) << "devices take no longer URL, and PUBLIC_URL may have 200 characters";
  EXPECT_LE(encode_offer(offer, url, "https://" + std::string(192, 'h')).size(), fleet::kOfferBytesMax);
}

TEST(Payloads, DownloadUrlNamesTheModelOnlyWhereTheVersionIsAmbiguous) {
  auto twin = example();
  twin.id = 9;
  twin.model = "esp8266";
  const auto text = encoded(offer_of(example(), {twin}), "");
  EXPECT_NE(text.find("/api/firmware/download/1.1.0?device_model=esp32\""), std::string::npos) << text;
}

TEST(Payloads, DecodeWhatDevicesSend) {
  const auto check = decode_check(
      R"({"device_model":"esp32","current_version":"1.0.0","boot_id":"b7","mac":"aabbccddeeff","metadata":{"rssi":-70}})");
  ASSERT_TRUE(check) << check.error().message;
  EXPECT_EQ(check->mac, "AA:BB:CC:DD:EE:FF");
  EXPECT_EQ(check->reported_json, R"({"rssi":-70})");
  EXPECT_TRUE(decode_presence(R"({"online":false})"));
  EXPECT_FALSE(decode_presence(R"({"online":"yes"})"));
  EXPECT_FALSE(decode_check("{\"device_model\":\"esp32\"}"));
}

TEST(Payloads, LongerThanTheLimitAreRefusedWhateverTheyHold) {
  std::string message = R"({"device_model":"esp32","current_version":"1.0.0"})";
  message.resize(fleet::kDeviceMessageBytesMax, ' ');
  EXPECT_TRUE(decode_check(message));
  const auto refused = decode_check(message + ' ');
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, fleet::ErrorKind::too_large);
}

TEST(Payloads, RefusedReportsStillHaveTheirReportId) {
  EXPECT_EQ(salvage_report_id(R"({"report_id":"r1","status":"nonsense"})"), "r1");
  EXPECT_EQ(salvage_report_id("{"), std::nullopt);
  EXPECT_EQ(salvage_report_id(R"({"report_id":5})"), std::nullopt);
  // No JSON that the parser takes, yet its sender waits for a word.
  EXPECT_EQ(salvage_report_id(R"({"a":1,"a":2,"report_id" : "r2"})"), "r2");
  EXPECT_EQ(salvage_report_id(R"({"progress_percent":1e400,"report_id":"r3"})"), "r3");
  EXPECT_EQ(salvage_report_id("{\"report_id\":\"" + std::string(200, 'x') + "\"}"), std::string(200, 'x'));
  EXPECT_EQ(salvage_report_id("{\"report_id\":\"" + std::string(300, 'x') + "\"}"), std::nullopt);
  EXPECT_EQ(salvage_report_id(R"({"report_id":"a\"b"})"), std::nullopt);
  EXPECT_EQ(salvage_report_id("{\"report_id\":\"a\nb\"}"), std::nullopt);
  EXPECT_EQ(salvage_report_id(R"({"report_id)"), std::nullopt);
}

TEST(Payloads, OnlyOurOffersHaveAnAttempt) {
  EXPECT_EQ(decode_offer_attempt(golden("offer.json")), 257);
  for (const char* text : {"", "x", "[]", "{\"attempt_id\":\"257\"}", "{\"attempt_id\":-1}"})
    EXPECT_EQ(decode_offer_attempt(text), 0) << text;
}

TEST(Payloads, RolloutFiguresSayTheFailureRateOverFinishedAttempts) {
  fleet::RolloutFigures figures;
  figures.by_status = {{"downloading", 50}, {"success", 3}, {"failed", 1}};
  EXPECT_EQ(nlohmann::json::parse(encode_rollout(figures))["failure_rate_percent"], 25.0);
}

}  // namespace
}  // namespace ota::topics
