#include <nlohmann/json.hpp>

#include "tests/support/golden.hpp"
#include "tests/unit/http/server_fixture.hpp"

namespace ota::tests {
namespace {

constexpr char kCheck[] = "/api/firmware/check?device_id=esp32_001&device_model=esp32&current_version=1.0.0";
constexpr char kStatus[] = "/api/device/esp32_001/update-status";

fleet::Release golden_release() {
  auto made = release(1, "1.1.0");
  made.size_bytes = 524288;
  made.sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
  made.notes = "Fixes the watchdog";
  return made;
}

class DeviceRoutes : public ServerTest {
 protected:
  void offer(const std::vector<fleet::Release>& releases) {
    const auto catalog = std::make_shared<const fleet::Catalog>(releases, std::vector<fleet::Rollout>{});
    desk_.answer = [catalog](const fleet::Message& message) -> fleet::Expected<fleet::Answer> {
      fleet::OfferAnswer offer;
      offer.catalog = catalog;
      offer.release = catalog->find_release(1);
      offer.current_version = std::get<fleet::Check>(message.body).version;
      offer.attempt_id = 257;
      return offer;
    };
  }
};

TEST_F(DeviceRoutes, CheckWithUpdateIsTheGoldenExample) {
  offer({golden_release()});
  const auto answer = get(kCheck);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("content-type"), "application/json");
  EXPECT_EQ(answer.body, golden("rest_check_update.json"));
}

TEST_F(DeviceRoutes, CheckWithoutUpdateIsTheGoldenExample) {
  const auto answer = get("/api/firmware/check?device_id=esp32_001&device_model=esp32&current_version=1.1.0");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, golden("rest_check_none.json"));
}

TEST_F(DeviceRoutes, CheckHandsInTheMessage) {
  get(std::string(kCheck) + "&mac=aa-bb-cc-dd-ee-ff&boot_id=b7&unknown=x");
  const auto message = desk_.last();
  EXPECT_EQ(message.device_id, "esp32_001");
  EXPECT_EQ(message.channel, fleet::Channel::rest);
  const auto& check = std::get<fleet::Check>(message.body);
  EXPECT_EQ(check.model, "esp32");
  EXPECT_EQ(check.version, "1.0.0");
  EXPECT_EQ(check.mac, "AA:BB:CC:DD:EE:FF");
  EXPECT_EQ(check.boot_id, "b7");
}

TEST_F(DeviceRoutes, SpaceInAVersionWasAPlus) {
  for (const char* version : {"1.0.0+b3", "1.0.0%20b3", "1.0.0%2Bb3"}) {
    get("/api/firmware/check?device_id=a&device_model=m&current_version=" + std::string(version));
    EXPECT_EQ(std::get<fleet::Check>(desk_.last().body).version, "1.0.0+b3") << version;
  }
}

TEST_F(DeviceRoutes, FurtherKeysComeOnlyOnRequest) {
  offer({golden_release()});
  EXPECT_EQ(nlohmann::json::parse(get(std::string(kCheck) + "&manifest=1").body).at("attempt_id"), 257);
  EXPECT_EQ(get(std::string(kCheck) + "&manifest=0").body.find("attempt_id"), std::string::npos);
}

TEST_F(DeviceRoutes, DownloadUrlNamesTheModelOnlyWhereTheVersionIsAmbiguous) {
  auto other = golden_release();
  other.id = 2;
  other.model = "esp8266";
  offer({golden_release(), other});
  EXPECT_EQ(nlohmann::json::parse(get(kCheck).body).at("download_url"),
            "/api/firmware/download/1.1.0?device_model=esp32");
}

TEST_F(DeviceRoutes, NotesAreCutToFitTheDevicesBuffer) {
  auto long_notes = golden_release();
  long_notes.notes = std::string(254, 'x') + "\xE2\x82\xAC tail";
  offer({long_notes});
  EXPECT_EQ(nlohmann::json::parse(get(kCheck).body).at("release_notes"), std::string(254, 'x'));

  long_notes.notes = std::string(300, '\x01');  // six bytes each in JSON
  offer({long_notes});
  const auto answer = get(kCheck);
  EXPECT_LE(answer.body.size(), 1024U);
  EXPECT_FALSE(nlohmann::json::parse(answer.body).at("release_notes").get<std::string>().empty());
}

TEST_F(DeviceRoutes, StatusHandsInTheReport) {
  const auto answer = post(kStatus, R"({"device_id":"esp32_001","firmware_version":"1.1.0","status":"failed",
      "progress_percent":40,"error_message":"flash error","attempt_id":7,"more":{}})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, R"({"status":"ok","message":"Status reported successfully"})");
  const auto message = desk_.last();
  const auto& report = std::get<fleet::Report>(message.body);
  EXPECT_EQ(message.device_id, "esp32_001");
  EXPECT_EQ(report.status, fleet::Status::failed);
  EXPECT_EQ(report.progress_percent, 40);
  EXPECT_EQ(report.error, "flash error");
  EXPECT_EQ(report.attempt_id, 7);
}

TEST_F(DeviceRoutes, StatusTakesAbsentAndNullFieldsAndCutsLongErrors) {
  EXPECT_EQ(post(kStatus, R"({"firmware_version":"1.1.0","status":"success"})").status, 200);
  EXPECT_EQ(post(kStatus, R"({"device_id":null,"firmware_version":"1.1.0","status":"success",
      "progress_percent":null,"error_message":null})")
                .status,
            200);
  EXPECT_EQ(post(kStatus, R"({"firmware_version":"1.1.0","status":"failed","error_message":")" +
                              std::string(5000, 'e') + "\"}")
                .status,
            200);
  EXPECT_EQ(std::get<fleet::Report>(desk_.last().body).error.size(), 1024U);
}

TEST_F(DeviceRoutes, RefusedReportIsAConflictWithItsReason) {
  desk_.answer = [](const fleet::Message&) -> fleet::Expected<fleet::Answer> {
    return fleet::ReportAnswer{false, "no such attempt"};
  };
  const auto answer = post(kStatus, R"({"firmware_version":"1.1.0","status":"success"})");
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(answer.body, R"({"detail":"not recorded: no such attempt"})");
}

TEST_F(DeviceRoutes, DatabaseAwayIs503WithRetryAfter) {
  desk_.answer = [](const fleet::Message&) -> fleet::Expected<fleet::Answer> {
    return fleet::fail(fleet::ErrorKind::unavailable, "the database is away");
  };
  const auto answer = get(kCheck);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("retry-after"), "5");
  EXPECT_EQ(answer.body, R"({"detail":"the database is away"})");
}

TEST_F(DeviceRoutes, NoCommitInTimeIs503) {
  options_.answer_timeout = std::chrono::seconds(1);
  desk_.holds = true;
  EXPECT_EQ(get(kCheck).status, 503);
}

TEST_F(DeviceRoutes, InternalErrorsTellNothing) {
  desk_.answer = [](const fleet::Message&) -> fleet::Expected<fleet::Answer> {
    return fleet::fail(fleet::ErrorKind::internal, "SELECT secret FROM tables");
  };
  const auto answer = get(kCheck);
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body.find("secret"), std::string::npos);
}

TEST_F(DeviceRoutes, ThrownExceptionTellsNothing) {
  desk_.answer = [](const fleet::Message&) -> fleet::Expected<fleet::Answer> {
    throw std::runtime_error("secret");
  };
  const auto answer = get(kCheck);
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body.find("secret"), std::string::npos);
  for (const auto& [name, value] : answer.headers) EXPECT_EQ(value.find("secret"), std::string::npos) << name;
}

TEST_F(DeviceRoutes, ADeviceThatSendsTooMuchIsToldToWait) {
  capped_ = "esp32_001";
  for (const auto& answer :
       {get(kCheck), post(kStatus, R"({"firmware_version":"1.1.0","status":"success"})")}) {
    EXPECT_EQ(answer.status, 429);
    EXPECT_EQ(answer.header("retry-after"), "5");
    EXPECT_NE(answer.body.find("too many"), std::string::npos) << answer.body;
  }
  EXPECT_EQ(desk_.count(), 0U) << "nothing of it reaches the inbox";
  EXPECT_EQ(get("/api/firmware/check?device_id=other&device_model=esp32&current_version=1").status, 200);
}

TEST_F(DeviceRoutes, MessagesThatCannotBeTakenAreCounted) {
  EXPECT_EQ(get("/api/firmware/check?device_id=a%2Fb&device_model=esp32&current_version=1").status, 422);
  EXPECT_EQ(refused_kind_, "check");
  EXPECT_EQ(post("/api/device/a%23/update-status", "{}").status, 422);
  EXPECT_EQ(refused_kind_, "status");
  refused_kind_.clear();
  EXPECT_EQ(post(kStatus, "{").status, 400);
  EXPECT_EQ(refused_kind_, "status");
}

TEST_F(DeviceRoutes, KeepAliveServesManyRequestsAndPipelinedOnes) {
  RawClient client(port());
  const std::string request = "GET " + std::string(kCheck) + " HTTP/1.1\r\nHost: t\r\n\r\n";
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(client.send(request));
    ASSERT_EQ(client.read_reply().status, 200) << i;
  }
  const std::string body = R"({"firmware_version":"1.1.0","status":"success"})";
  const std::string report = "POST " + std::string(kStatus) +
                             " HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(body.size()) +
                             "\r\n\r\n" + body;
  client.send(request + report + request + "GET /health HTTP/1.1\r\nHost: t\r\n\r\n" + request);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(client.read_reply().status, 200) << i;
}

}  // namespace
}  // namespace ota::tests
