#include "http/wrong_keys.hpp"

#include <gtest/gtest.h>

#include "tests/unit/http/server_fixture.hpp"

namespace ota::tests {
namespace {

using namespace std::chrono_literals;
using http::WrongKeys;

const WrongKeys::Time kStart{1000h};

fleet::IpAddress ip(const std::string& text) {
  return fleet::parse_ip(text).value();
}

// Wrong keys one after another at `now`; answers the last one's wait.
std::chrono::seconds guess(WrongKeys& keys, const std::string& from, int times, WrongKeys::Time now) {
  std::chrono::seconds wait{0};
  for (int i = 0; i < times; ++i) wait = keys.note(ip(from), now);
  return wait;
}

TEST(WrongKeys, AreForgivenUntilThereAreTooManyWithinTheWindow) {
  WrongKeys keys;
  EXPECT_EQ(guess(keys, "192.0.2.1", 9, kStart), 0s);
  EXPECT_EQ(keys.wait_of(ip("192.0.2.1"), kStart), 0s);
  EXPECT_EQ(guess(keys, "192.0.2.1", 9, kStart + 60s), 0s) << "the window is over";
  EXPECT_EQ(guess(keys, "192.0.2.1", 1, kStart + 119s), 30s);
  EXPECT_EQ(keys.wait_of(ip("192.0.2.1"), kStart + 119s), 30s);
  EXPECT_EQ(keys.wait_of(ip("192.0.2.1"), kStart + 148001ms), 1s) << "rounded up";
  EXPECT_EQ(keys.wait_of(ip("192.0.2.1"), kStart + 149s), 0s);
}

TEST(WrongKeys, WaitDoublesUpToALimitAndIsForgotten) {
  WrongKeys keys;
  auto now = kStart;
  auto wait = guess(keys, "192.0.2.1", 10, now);
  for (const auto expected : {60s, 120s, 240s, 480s, 480s}) {
    now += wait;
    wait = guess(keys, "192.0.2.1", 1, now);
    EXPECT_EQ(wait, expected);
  }
  now += 15min;
  EXPECT_EQ(guess(keys, "192.0.2.1", 9, now), 0s) << "begins anew";
}

TEST(WrongKeys, OfOthersDoNotCount) {
  WrongKeys keys;
  EXPECT_EQ(guess(keys, "192.0.2.1", 10, kStart), 30s);
  EXPECT_EQ(keys.wait_of(ip("192.0.2.2"), kStart), 0s);
  for (int i = 1; i <= 10; ++i) keys.note(ip("2001:db8:0:1::" + std::to_string(i)), kStart);
  EXPECT_EQ(keys.wait_of(ip("2001:db8:0:1:ffff::"), kStart), 30s) << "one subscriber has a whole /64";
  EXPECT_EQ(keys.wait_of(ip("2001:db8:0:2::1"), kStart), 0s);
}

TEST(WrongKeys, AreRememberedOfABoundedNumberOfAddresses) {
  WrongKeys keys;
  for (std::uint32_t i = 0; i < 3 * fleet::kWrongKeyAddressesMax; ++i) {
    fleet::IpAddress address;
    for (std::size_t byte = 0; byte < 4; ++byte)
      address.bytes[byte] = static_cast<std::uint8_t>(i >> (8 * byte));
    keys.note(address, kStart + std::chrono::milliseconds(i));
    if (i % 5 == 0) keys.note(ip("192.0.2.1"), kStart + std::chrono::milliseconds(i));
  }
  EXPECT_EQ(keys.count(), fleet::kWrongKeyAddressesMax);
  EXPECT_GT(keys.wait_of(ip("192.0.2.1"), kStart + 20s), 0s) << "the one that goes on is not forgotten";
  keys.note(ip("192.0.2.2"), kStart + 1h);
  EXPECT_EQ(keys.count(), 1U) << "the others are forgotten in time";
}

class Throttling : public ServerTest {
 protected:
  // The status of a request with `key`, whose proxy names `forwarded`.
  Reply ask(const std::string& key, const std::string& forwarded = "") {
    Headers headers = {{"X-API-Key", key}};
    if (!forwarded.empty()) headers["X-Forwarded-For"] = forwarded;
    return get("/api/admin/devices", headers);
  }
};

TEST_F(Throttling, TenThousandWrongKeysAreSlowedDownWhateverTheyForward) {
  std::map<int, int> counts;
  for (int i = 0; i < 10000; ++i) {
    ++counts[ask("ota_" + std::to_string(i), "203.0.113." + std::to_string(i % 250)).status];
  }
  EXPECT_EQ(counts[401], 10);
  EXPECT_EQ(counts[429], 9990);
  const auto reply = ask(kKey);
  EXPECT_EQ(reply.status, 429) << "no key is looked at any more";
  const auto wait = std::stoi(reply.header("retry-after"));
  EXPECT_GE(wait, 1);
  EXPECT_LE(wait, 30);
  EXPECT_EQ(get("/api/admin/devices").status, 401) << "there is no key to look at";
  EXPECT_EQ(get("/health").status, 200);
}

TEST_F(Throttling, GoesByTheClientBehindATrustedProxy) {
  options_.trusted_proxies = fleet::parse_networks("127.0.0.0/8").value();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(ask("wrong", std::to_string(i) + ".1.1.1, 203.0.113.9").status, 401);
  }
  EXPECT_EQ(ask(kKey, "203.0.113.9").status, 429);
  EXPECT_EQ(ask(kKey, "203.0.113.10").status, 200);
  EXPECT_EQ(ask(kKey).status, 200);
}

TEST_F(Throttling, DoesNotCountKeysThatCannotBeLookedUp) {
  keys_.is_unread = true;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ask("ota_v").status, 503);
  EXPECT_EQ(ask(kKey).status, 200);
}

TEST_F(Throttling, DoesNotCountKeysOfTheWrongRole) {
  EXPECT_TRUE(keys_.add_key({"v", fleet::KeyRole::viewer, test_sha256("ota_v"), {}, ""}));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(post("/api/admin/freeze", "", {{"X-API-Key", "ota_v"}}).status, 403);
  EXPECT_EQ(ask("ota_v").status, 200);
}

}  // namespace
}  // namespace ota::tests
