#include "fleet/download_url.hpp"

#include <gtest/gtest.h>

#include "tests/support/fleet_builders.hpp"

namespace ota::fleet {
namespace {

using namespace std::chrono_literals;

OfferAnswer offer_of(const std::string& version, std::vector<Release> others = {}) {
  others.push_back(tests::release(1, version));
  OfferAnswer offer;
  offer.catalog = std::make_shared<const Catalog>(std::move(others), std::vector<Rollout>{});
  offer.release = offer.catalog->find_release(1);
  offer.answered_at = Time(1000s);
  return offer;
}

Release of_another_model(const std::string& version) {
  auto made = tests::release(2, version);
  made.model = "esp8266";
  return made;
}

const tests::FakeSigner kSigner;
const DownloadUrls kPlain;
const DownloadUrls kSigned(&kSigner, 10min);

TEST(DownloadUrl, IsPlainWithoutAKey) {
  EXPECT_EQ(kPlain.path(offer_of("1.1.0"), "dev1"), "/api/firmware/download/1.1.0");
  EXPECT_EQ(kPlain.path(offer_of("1.1.0", {of_another_model("1.1.0")}), "dev1"),
            "/api/firmware/download/1.1.0?device_model=esp32");
  EXPECT_EQ(kPlain.path(offer_of("1.1.0+b3"), "dev1"), "/api/firmware/download/1.1.0%2Bb3");
}

TEST(DownloadUrl, CarriesATicketForOneDeviceUntilATime) {
  const auto ticket = kSigner.sign({"1.1.0+b3", "esp32", "dev1", 1600});
  EXPECT_EQ(kSigned.path(offer_of("1.1.0+b3"), "dev1"),
            "/api/firmware/download/1.1.0%2Bb3?device_model=esp32&device=dev1&expires=1600&ticket=" + ticket);
}

TEST(DownloadUrl, NoTwoClaimsAreSignedAlike) {
  EXPECT_EQ(ticket_text({"1.1.0", "esp32", "dev1", 1600}), "ota-download-v1\n1.1.0\nesp32\ndev1\n1600\n");
  EXPECT_NE(ticket_text({"1", "2", "3", 4}), ticket_text({"12", "", "3", 4}));
}

struct Judged {
  const char* name;
  TicketClaim shown;
  std::int64_t at_s;
  bool continues;
  const char* refusal;  // nullptr: it may
};

class DownloadTicket : public ::testing::TestWithParam<Judged> {};

TEST_P(DownloadTicket, IsJudged) {
  const auto ticket = kSigner.sign({"1.1.0", "esp32", "dev1", 1600});
  const auto& row = GetParam();
  const auto judged = kSigned.judge(row.shown, ticket, row.continues, Time(std::chrono::seconds(row.at_s)));
  ASSERT_EQ(judged.has_value(), row.refusal == nullptr);
  if (judged) return;
  EXPECT_EQ(judged.error().kind, ErrorKind::forbidden);
  EXPECT_NE(judged.error().message.find(row.refusal), std::string::npos) << judged.error().message;
}

constexpr std::int64_t kDayS = 86400;
const TicketClaim kRight{"1.1.0", "esp32", "dev1", 1600};

INSTANTIATE_TEST_SUITE_P(
    Rows, DownloadTicket,
    ::testing::Values(Judged{"Fresh", kRight, 1000, false, nullptr},
                      Judged{"LastSecond", kRight, 1599, false, nullptr},
                      Judged{"Expired", kRight, 1600, false, "expired"},
                      Judged{"ExpiredButGoesOn", kRight, 1600, true, nullptr},
                      Judged{"GoesOnForADay", kRight, 1600 + kDayS - 1, true, nullptr},
                      Judged{"GoesOnForADayOnly", kRight, 1600 + kDayS, true, "expired"},
                      Judged{"OtherVersion", {"1.2.0", "esp32", "dev1", 1600}, 1000, false, "not one of"},
                      Judged{"OtherModel", {"1.1.0", "esp8266", "dev1", 1600}, 1000, false, "not one of"},
                      Judged{"NoModel", {"1.1.0", "", "dev1", 1600}, 1000, false, "not one of"},
                      Judged{"OtherDevice", {"1.1.0", "esp32", "dev2", 1600}, 1000, false, "not one of"},
                      Judged{"LaterEnd", {"1.1.0", "esp32", "dev1", 9999}, 1000, false, "not one of"},
                      Judged{"FarEnd", {"1.1.0", "esp32", "dev1", INT64_MAX}, 1000, true, "not one of"}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace ota::fleet
