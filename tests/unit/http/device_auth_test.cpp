#include <nlohmann/json.hpp>

#include "tests/unit/http/server_fixture.hpp"

namespace ota::tests {
namespace {

using fleet::DeviceAuth;

constexpr char kCheck[] = "/api/firmware/check?device_id=dev1&device_model=esp32&current_version=1.0.0";
constexpr char kStatus[] = "/api/device/dev1/update-status";
constexpr char kReport[] = R"({"firmware_version":"1.1.0","status":"success"})";
constexpr char kDownload[] = "/api/firmware/download/1.1.0";
constexpr char kTokenOf1[] = "/api/admin/devices/dev1/token";

class DeviceAuthTest : public ServerTest {
 protected:
  void ask_for(DeviceAuth auth) {
    options_.device_auth = auth;
    tokens_.tokens = {{"dev1", test_sha256("one")}, {"dev2", test_sha256("two")}};
  }
  static Headers bearer(const std::string& token) { return {{"Authorization", "Bearer " + token}}; }
  /// The digest that went in with the last message.
  fleet::KeyDigest shown() { return desk_.last().token.value(); }
};

TEST_F(DeviceAuthTest, OpenAsksForNothingAndLooksAtNothing) {
  EXPECT_EQ(get(kCheck, bearer("whatever")).status, 200);
  EXPECT_FALSE(desk_.last().token);
  EXPECT_EQ(post(kStatus, kReport).status, 200);
}

TEST_F(DeviceAuthTest, TheTokenGoesInWithTheMessageAsItsHash) {
  ask_for(DeviceAuth::token);
  EXPECT_EQ(get(kCheck, bearer("one")).status, 200);
  EXPECT_EQ(shown(), test_sha256("one"));
  EXPECT_EQ(get(kCheck, {{"Authorization", "bEARER   two"}}).status, 200);
  EXPECT_EQ(shown(), test_sha256("two")) << "whether it is the device's is tested with the batch";
  EXPECT_EQ(get(kCheck, {{"X-Device-Token", "three"}, {"Authorization", "Basic eDp5"}}).status, 200);
  EXPECT_EQ(shown(), test_sha256("three"));
  EXPECT_EQ(post(kStatus, kReport, bearer("one")).status, 200);
  EXPECT_EQ(shown(), test_sha256("one"));
}

TEST_F(DeviceAuthTest, WithoutATokenNothingGoesIn) {
  ask_for(DeviceAuth::token);
  const Headers wrong[] = {{},
                           {{"Authorization", "Bearer "}},
                           {{"Authorization", "Bearer"}},
                           {{"Authorization", "Basic b25l"}},
                           {{"Authorization", "one"}},
                           {{"X-Device-Token", ""}},
                           {{"X-API-Key", kKey}}};
  for (const auto& headers : wrong) {
    const auto answer = get(kCheck, headers);
    EXPECT_EQ(answer.status, 401);
    EXPECT_NE(answer.body.find("Authorization: Bearer"), std::string::npos) << answer.body;
    EXPECT_EQ(post(kStatus, kReport, headers).status, 401);
  }
  EXPECT_EQ(desk_.count(), 0U);
}

TEST_F(DeviceAuthTest, WhatTheBatchRefusesIsTold) {
  ask_for(DeviceAuth::token);
  for (const auto& [kind, status] :
       {std::pair(fleet::ErrorKind::unauthorized, 401), std::pair(fleet::ErrorKind::forbidden, 403)}) {
    desk_.answer = [kind = kind](const fleet::Message&) -> fleet::Expected<fleet::Answer> {
      return fleet::fail(kind, "the token is another device's");
    };
    const auto answer = get(kCheck, bearer("two"));
    EXPECT_EQ(answer.status, status);
    EXPECT_NE(answer.body.find("another device's"), std::string::npos);
  }
}

TEST_F(DeviceAuthTest, MtlsTakesNoToken) {
  ask_for(DeviceAuth::mtls);
  const auto answer = get(kCheck, bearer("one"));
  EXPECT_EQ(answer.status, 401);
  EXPECT_NE(answer.body.find("client certificate"), std::string::npos) << answer.body;
}

TEST_F(DeviceAuthTest, OpenServesImagesToEverybody) {
  add_image("1.1.0", "esp32", "image");
  EXPECT_EQ(get(kDownload).status, 200);
}

class GuardedDownload : public DeviceAuthTest {
 protected:
  void SetUp() override {
    ask_for(DeviceAuth::token);
    add_image("1.1.0", "esp32", "image");
  }
};

TEST_F(GuardedDownload, NeedsADeviceOrAnAdmin) {
  EXPECT_EQ(get(kDownload).status, 401);
  EXPECT_EQ(get("/api/firmware/download/9.9.9").status, 401) << "nor is told which versions there are";
  EXPECT_EQ(get(kDownload, bearer("guessed")).status, 401);
  EXPECT_EQ(get(kDownload, bearer("one")).body, "image");
  EXPECT_EQ(get(kDownload, {{"X-Device-Token", "two"}}).body, "image");
  EXPECT_EQ(get_as_admin(kDownload).body, "image");
  EXPECT_EQ(get(kDownload, {{"X-API-Key", "wrong"}}).status, 401);
  EXPECT_EQ(get(std::string(kDownload) + "?ticket=x&device=dev1&expires=9").status, 401)
      << "a server without a key knows no tickets";
}

TEST_F(GuardedDownload, ATokenTakenBackLoadsNothingMore) {
  EXPECT_EQ(get(kDownload, bearer("one")).status, 200);
  tokens_.tokens.erase("dev1");
  EXPECT_EQ(get(kDownload, bearer("one")).status, 401);
  tokens_.away = true;
  EXPECT_EQ(get(kDownload, bearer("two")).status, 503);
}

TEST_F(DeviceAuthTest, AnAdminIssuesATokenThatIsShownOnce) {
  const auto answer = post_as_admin(kTokenOf1, "");
  EXPECT_EQ(answer.status, 201) << answer.body;
  EXPECT_EQ(answer.header("cache-control"), "no-store");
  const auto token = nlohmann::json::parse(answer.body).at("token").get<std::string>();
  EXPECT_EQ(token.size(), 68U);
  EXPECT_EQ(tokens_.tokens.at("dev1"), test_sha256(token)) << "only its hash is stored";
  EXPECT_EQ(tokens_.last_by, "admin");

  EXPECT_EQ(call(port(), "DELETE", kTokenOf1, {{"X-API-Key", kKey}}).status, 200);
  EXPECT_TRUE(tokens_.tokens.empty());
  EXPECT_EQ(call(port(), "DELETE", kTokenOf1, {{"X-API-Key", kKey}}).status, 404);
  EXPECT_EQ(post(kTokenOf1, "").status, 401);
  EXPECT_EQ(post_as_admin("/api/admin/devices/a%20b/token", "").status, 422);
}

}  // namespace
}  // namespace ota::tests
