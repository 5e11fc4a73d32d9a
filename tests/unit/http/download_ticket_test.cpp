#include <nlohmann/json.hpp>

#include "tests/unit/http/server_fixture.hpp"

namespace ota::tests {
namespace {

using namespace std::chrono_literals;

const std::string kImage(100'000, 'i');

/// A server whose offers carry tickets that may be begun with for ten minutes.
class DownloadTickets : public ServerTest {
 protected:
  DownloadTickets() {
    urls_ = fleet::DownloadUrls(&signer_, 10min);
    desk_.answer = [this](const fleet::Message&) -> fleet::Expected<fleet::Answer> {
      fleet::OfferAnswer offer;
      offer.catalog = std::make_shared<const fleet::Catalog>(std::vector<fleet::Release>{release(1, "1.1.0")},
                                                             std::vector<fleet::Rollout>{});
      offer.release = offer.catalog->find_release(1);
      offer.answered_at = now_;
      return offer;
    };
  }
  void SetUp() override { add_image("1.1.0", "esp32", kImage); }

  std::string offered_url() {
    const auto answer = get("/api/firmware/check?device_id=dev1&device_model=esp32&current_version=1.0.0");
    return nlohmann::json::parse(answer.body).at("download_url");
  }
  void expect_refused(const std::string& url, const std::string& why, const Headers& headers = {}) {
    const auto answer = get(url, headers);
    EXPECT_EQ(answer.status, 403) << url << ": " << answer.body.substr(0, 200);
    EXPECT_NE(answer.body.find(why), std::string::npos) << answer.body.substr(0, 200);
    EXPECT_EQ(answer.header("x-checksum-sha256"), "");
  }
  void pass(std::chrono::minutes time) { now_ = now_.load() + time; }

  const FakeSigner signer_;
};

std::string with(std::string url, const std::string& from, const std::string& to) {
  const auto at = url.find(from);
  EXPECT_NE(at, std::string::npos) << url;
  return url.replace(at, from.size(), to);
}

TEST_F(DownloadTickets, TheOfferedUrlLoadsTheImage) {
  const auto answer = get(offered_url());
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, kImage);
}

TEST_F(DownloadTickets, NothingElseDoes) {
  const auto url = offered_url();
  add_image("1.2.0", "esp32", "newer");
  add_image("1.1.0", "esp8266", "other");
  expect_refused("/api/firmware/download/1.1.0", "needs the ticket");
  expect_refused("/api/firmware/download/9.9.9", "needs the ticket");
  expect_refused(with(url, "1.1.0", "1.2.0"), "not one of");
  expect_refused(with(url, "esp32", "esp8266"), "not one of");
  expect_refused(with(url, "device_model=esp32&", ""), "not one of");
  expect_refused(with(url, "dev1", "dev2"), "not one of");
  expect_refused(with(url, "expires=3", "expires=4"), "not one of");
  expect_refused(with(url, "ticket=", "ticket=x"), "not one of");
  EXPECT_EQ(get(with(url, "expires=", "expires=-")).status, 422);
  EXPECT_EQ(get(url + "&ticket=again").status, 422);
  EXPECT_EQ(get(with(url, "&device=dev1", "")).status, 422);
}

TEST_F(DownloadTickets, ExpiryIsTestedWhereADownloadBegins) {
  const auto url = offered_url();
  pass(11min);
  expect_refused(url, "expired");
  expect_refused(url, "expired", {{"Range", "bytes=0-"}});
  expect_refused(url, "expired", {{"Range", "bytes=-5"}});
  expect_refused(url, "expired", {{"Range", "bytes=9-"}, {"If-Range", "\"other\""}});
  expect_refused(url, "expired", {{"Range", "bytes=1-2,5-9"}});
  const auto rest = get(url, {{"Range", "bytes=60000-"}});
  EXPECT_EQ(rest.status, 206);
  EXPECT_EQ(rest.body.size(), kImage.size() - 60000);
  EXPECT_EQ(get(offered_url()).status, 200) << "a fresh offer has a fresh ticket";
  pass(24h);
  expect_refused(url, "expired", {{"Range", "bytes=60000-"}});
}

TEST_F(DownloadTickets, EndWithTheRevocationOfTheirDevice) {
  const auto url = offered_url();
  certificates_.revoked.device_id = "dev1";
  expect_refused(url, "device dev1 is revoked");
  expect_refused(url, "device dev1 is revoked", {{"Range", "bytes=60000-"}});
  certificates_.is_away = true;
  EXPECT_EQ(get(url).status, 200) << "images are served without the database";
}

}  // namespace
}  // namespace ota::tests
