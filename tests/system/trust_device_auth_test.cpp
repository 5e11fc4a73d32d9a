// Who is who over REST: devices' tokens and download tickets, on a real stack.
#include <gtest/gtest.h>

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "tests/support/database.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/rest_client.hpp"
#include "tests/support/stack.hpp"

namespace ota {
namespace {

namespace fs = std::filesystem;
using test_support::CommandResult;
using test_support::Database;
using test_support::RestAnswer;
using test_support::RestClient;
using test_support::run_command;
using test_support::Stack;

const std::string kBridge = std::string(OTA_BINARY_DIR) + "/bridge/ota-bridge";
const std::string kDevice = std::string(OTA_BINARY_DIR) + "/esp-client/ota-device";
const std::string kImage(400'000, 'g');

std::string make_key() {
  auto made = run_command({"openssl", "rand", "-hex", "32"}).output;
  made.pop_back();
  return made;
}

std::int64_t now_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

class DeviceAuth : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = fs::path(::testing::TempDir()) / ("device-auth-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    write_key(make_key());
    stack_ =
        new Stack({"postgres", "mosquitto", "bridge"}, {{"DEVICE_AUTH", "token"},
                                                        {"DOWNLOAD_KEY_FILE", (folder_ / "key").string()},
                                                        {"LOG_LEVEL", "trace"}});
  }
  static void TearDownTestSuite() {
    delete stack_;
    fs::remove_all(folder_);
  }
  static void write_key(const std::string& key) {
    key_ = key;
    std::ofstream(folder_ / "key") << key << '\n';
    secrets_.push_back(key);
  }

  void SetUp() override { id_ = ::testing::UnitTest::GetInstance()->current_test_info()->name(); }

  // As a device would ask: without an admin's key.
  static RestAnswer ask(const std::string& path, std::vector<std::string> more = {}) {
    std::vector<std::string> command = {"curl", "-s", "--noproxy", "*", "-w", "\n%{http_code}"};
    command.insert(command.end(), more.begin(), more.end());
    command.push_back(path.rfind("http", 0) == 0 ? path : stack_->env("OTA_URL") + path);
    const auto done = run_command(command);
    const auto end = done.output.rfind('\n');
    return {std::stol(done.output.substr(end + 1)), done.output.substr(0, end)};
  }
  static std::vector<std::string> bearer(const std::string& token) {
    return {"-H", "Authorization: Bearer " + token};
  }
  static std::vector<std::string> report(const std::string& token) {
    return {"-H", "X-Device-Token: " + token,
            "-H", "Content-Type: application/json",
            "-d", R"({"firmware_version":"1.1.0","status":"success"})"};
  }
  std::string issue(const std::string& id) {
    const auto answer = rest_.post("/api/admin/devices/" + id + "/token", nlohmann::json::object());
    EXPECT_EQ(answer.status, 201) << answer.body;
    secrets_.push_back(answer.json().at("token").get<std::string>());
    return secrets_.back();
  }
  std::string check_path() const {
    return "/api/firmware/check?device_id=" + id_ + "&device_model=" + id_ + "&current_version=1.0.0";
  }
  // Whether the database holds anything of the device.
  bool is_known() {
    return database_.value("SELECT (SELECT count(*) FROM devices WHERE device_id = '" + id_ +
                           "') + (SELECT count(*) FROM device_update_status WHERE device_id = '" + id_ +
                           "')") != "0";
  }
  std::string offered_url(const std::string& token) {
    const auto answer = ask(check_path(), bearer(token));
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.json().at("download_url").get<std::string>();
  }
  // What the server itself would sign.
  std::string url_until(std::int64_t expires_s) const {
    const auto expires = std::to_string(expires_s);
    std::ofstream(folder_ / "claim") << "ota-download-v1\n1.1.0\n"
                                     << id_ << "\n"
                                     << id_ << "\n"
                                     << expires << "\n";
    const auto signed_by = run_command(
        {"sh", "-c",
         "openssl mac -digest SHA256 -macopt key:" + key_ + " -in " + (folder_ / "claim").string() +
             " -binary HMAC | head -c 16 | base64 | tr '+/' '-_' | tr -d '=\\n'"});
    return "/api/firmware/download/1.1.0?device_model=" + id_ + "&device=" + id_ + "&expires=" + expires +
           "&ticket=" + signed_by.output;
  }
  std::vector<std::string> device_command(std::vector<std::string> more) const {
    std::vector<std::string> command = {kDevice,
                                        "--id",
                                        id_,
                                        "--model",
                                        id_,
                                        "--version",
                                        "1.0.0",
                                        "--state",
                                        (folder_ / "devices").string(),
                                        "--once",
                                        "--timeout-s",
                                        "60",
                                        "--http",
                                        stack_->env("OTA_URL")};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }
  std::vector<std::string> over_mqtt() const {
    const auto enrolment = stack_->enrol(id_);
    return {"--mqtt", stack_->env("MQTT_HOST") + ":" + stack_->env("MQTTS_PORT"),
            "--ca",   enrolment.ca,
            "--cert", enrolment.cert,
            "--key",  enrolment.key};
  }
  std::string status() {
    return database_.value("SELECT status FROM device_update_status WHERE device_id = '" + id_ +
                           "' ORDER BY id DESC LIMIT 1");
  }

  static Stack* stack_;
  static fs::path folder_;
  static std::string key_;
  static std::vector<std::string> secrets_;  // everything that no log may hold
  std::string id_;
  RestClient rest_{*stack_};
  Database database_{*stack_};
};

Stack* DeviceAuth::stack_ = nullptr;
fs::path DeviceAuth::folder_;
std::string DeviceAuth::key_;
std::vector<std::string> DeviceAuth::secrets_;

TEST_F(DeviceAuth, AnotherDevicesTokenRecordsNothing) {
  const auto token = issue("other");
  const auto status_path = "/api/device/" + id_ + "/update-status";
  EXPECT_EQ(ask(check_path()).status, 401);
  EXPECT_EQ(ask(check_path(), bearer("otd_" + std::string(64, '0'))).status, 401);
  EXPECT_EQ(ask(check_path(), bearer(token)).status, 403);
  EXPECT_EQ(ask(status_path, report(token)).status, 403);
  EXPECT_EQ(ask(status_path, report("guessed")).status, 401);
  EXPECT_FALSE(is_known());

  const auto own = issue(id_);
  EXPECT_EQ(ask(check_path(), bearer(own)).status, 200);
  EXPECT_EQ(ask(status_path, report(own)).status, 200);
  EXPECT_TRUE(is_known());
  EXPECT_EQ(database_.value("SELECT count(*) FROM device_tokens WHERE token_sha256 LIKE '%" + own + "%'"),
            "0");
}

TEST_F(DeviceAuth, AReplacedOrRevokedTokenIsRefusedAtOnce) {
  const auto old = issue(id_);
  EXPECT_EQ(ask(check_path(), bearer(old)).status, 200);
  const auto fresh = issue(id_);
  EXPECT_EQ(ask(check_path(), bearer(old)).status, 401);
  EXPECT_EQ(ask(check_path(), bearer(fresh)).status, 200);
  EXPECT_EQ(ask("/api/admin/devices/" + id_ + "/token",
                {"-X", "DELETE", "-H", "X-API-Key: " + stack_->env("API_KEY")})
                .status,
            200);
  EXPECT_EQ(ask(check_path(), bearer(fresh)).status, 401);
  EXPECT_EQ(
      database_.value("SELECT string_agg(event_type, ' ' ORDER BY id) FROM ota_events WHERE device_id = '" +
                      id_ + "'"),
      "device_token_issued device_token_issued device_token_revoked");
}

TEST_F(DeviceAuth, ARevokedDevicesTokenIsRefused) {
  const auto token = issue(id_);
  rest_.release_to_all("1.1.0", id_, kImage);
  const auto image = "/api/firmware/download/1.1.0?device_model=" + id_;
  ASSERT_EQ(ask(check_path(), bearer(token)).status, 200);
  ASSERT_EQ(ask(image, bearer(token)).status, 200);
  ASSERT_EQ(rest_.post("/api/admin/devices/" + id_ + "/revoke", {{"why", "stolen"}}).status, 200);
  EXPECT_EQ(ask(check_path(), bearer(token)).status, 401);
  EXPECT_EQ(ask("/api/device/" + id_ + "/update-status", report(token)).status, 401);
  EXPECT_EQ(ask(image, bearer(token)).status, 401);
  const auto later = issue(id_);
  EXPECT_EQ(ask(check_path(), bearer(later)).status, 403) << "the device itself is what is revoked";
  EXPECT_EQ(ask(image, bearer(later)).status, 401);
  EXPECT_EQ(database_.value("SELECT count(*) FROM device_update_status WHERE device_id = '" + id_ + "'"),
            "0");
}

TEST_F(DeviceAuth, OtactlPutsATokenIntoAFileForItsOwnerAlone) {
  const auto file = folder_ / "by-otactl";
  std::ofstream(file) << "left over, and readable by everybody";
  const auto otactl = [&](std::vector<std::string> more) {
    std::vector<std::string> command = {std::string(OTA_BINARY_DIR) + "/otactl/otactl",
                                        "--url",
                                        stack_->env("OTA_URL"),
                                        "device",
                                        "token",
                                        id_};
    command.insert(command.end(), more.begin(), more.end());
    return run_command(command, {{"API_KEY", stack_->env("API_KEY")}});
  };
  const auto made = otactl({"-o", file.string()});
  ASSERT_EQ(made.exit_status, 0) << made.output;
  EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  std::string token;
  std::ifstream(file) >> token;
  EXPECT_EQ(ask(check_path(), bearer(token)).status, 200);
  EXPECT_EQ(made.output.find(token), std::string::npos);
  EXPECT_EQ(otactl({"-o", "/no/folder/token"}).exit_status, 1);
  EXPECT_EQ(ask(check_path(), bearer(token)).status, 200) << "nothing was issued that nobody can read";
  EXPECT_EQ(otactl({"--revoke"}).exit_status, 0);
  EXPECT_EQ(ask(check_path(), bearer(token)).status, 401);
  EXPECT_EQ(otactl({"--revoke"}).exit_status, 1);
}

TEST_F(DeviceAuth, ATicketOpensOneReleaseForOneDeviceForAWhile) {
  const auto token = issue(id_);
  rest_.release_to_all("1.1.0", id_, kImage);
  rest_.release_to_all("1.1.0", id_ + "-2", "another model's");
  const auto url = offered_url(token);
  EXPECT_EQ(ask(url).body, kImage) << "no second credential is needed";
  const auto plain = url.substr(0, url.find('?'));
  EXPECT_EQ(ask(plain).status, 401);
  EXPECT_EQ(ask(plain + "?device_model=" + id_, bearer(token)).status, 200);
  EXPECT_EQ(ask(url + "A").status, 403);
  auto other_model = url;
  other_model.replace(other_model.find('=') + 1, id_.size(), id_ + "-2");
  EXPECT_EQ(ask(other_model).status, 403);
}

TEST_F(DeviceAuth, AnExpiredTicketBeginsNothingButGoesOn) {
  const auto token = issue(id_);
  rest_.release_to_all("1.1.0", id_, kImage);
  ASSERT_EQ(ask(url_until(now_s() + 600)).status, 200) << "the test signs as the server does";
  const auto expired = url_until(now_s() - 60);
  const auto refused = ask(expired);
  EXPECT_EQ(refused.status, 403);
  EXPECT_NE(refused.body.find("expired"), std::string::npos) << refused.body;
  const auto rest = ask(expired, {"-H", "Range: bytes=399990-"});
  EXPECT_EQ(rest.status, 206);
  EXPECT_EQ(rest.body, kImage.substr(399990));
  EXPECT_EQ(ask(url_until(now_s() - 86400), {"-H", "Range: bytes=399990-"}).status, 403);
  EXPECT_EQ(ask(offered_url(token)).status, 200) << "checking again helps";
}

TEST_F(DeviceAuth, ADeviceUpdatesOverRestByItsToken) {
  std::ofstream(folder_ / id_) << issue(id_) << '\n';
  rest_.release_to_all("1.1.0", id_, kImage);
  const auto device = run_command(
      device_command({"--rest", stack_->env("OTA_URL"), "--token-file", (folder_ / "{id}").string()}));
  EXPECT_EQ(device.exit_status, 0) << device.output;
  EXPECT_EQ(status(), "success");
}

// The key is thrown away while the device loads: its ticket is worth nothing from then on.
TEST_F(DeviceAuth, ADeviceOverMqttNeedsNoTokenAndChecksAgainWhenItsTicketIsRefused) {
  // More than the sockets' buffers hold: the rest is still to come when the bridge dies.
  rest_.release_to_all("1.1.0", id_, std::string(12'000'000, 'k'));
  auto more = over_mqtt();
  more.insert(more.end(), {"--rate-bytes-per-s", "3000000", "--log-level", "debug"});
  auto command = device_command(more);
  std::string line = "exec";
  for (const auto& word : command) line += " '" + word + "'";
  const auto log = folder_ / "device.log";
  const auto pid = run_command({"sh", "-c", line + " >" + log.string() + " 2>&1 & echo $!"}).output;
  const auto slot = folder_ / "devices" / id_ / "slot-b.bin";
  ASSERT_TRUE(test_support::eventually([&] { return fs::exists(slot) && fs::file_size(slot) > 50'000; },
                                       std::chrono::seconds(30)));
  write_key(make_key());
  stack_->restart("bridge", SIGKILL);
  EXPECT_TRUE(test_support::eventually([&] { return status() == "success"; }, std::chrono::seconds(60)))
      << status() << run_command({"cat", log.string()}).output;
  EXPECT_NE(run_command({"cat", log.string()}).output.find("the server answered 403"), std::string::npos)
      << "the old ticket was not tried\n"
      << run_command({"cat", log.string()}).output;
}

TEST_F(DeviceAuth, NoSecretIsInTheLogsOrTheDatabase) {
  const auto token = issue(id_);
  rest_.release_to_all("1.1.0", id_, kImage);
  const auto url = offered_url(token);
  ASSERT_EQ(ask(url).status, 200);
  ASSERT_EQ(ask(url + "A").status, 403);
  ASSERT_EQ(ask(check_path(), bearer("otd_wrong-but-maybe-of-elsewhere")).status, 401);
  secrets_.insert(secrets_.end(), {stack_->env("API_KEY"), url.substr(url.find("ticket=") + 7),
                                   "otd_wrong-but-maybe-of-elsewhere"});
  for (const auto& name : {"MQTT_BRIDGE_PASSWORD", "MQTT_MONITOR_PASSWORD", "DB_SERVICE_PASSWORD"}) {
    const auto found = run_command(
        {"sh", "-c", ". '" + (stack_->directory() / "settings").string() + "'; printf %s \"$" + name + "\""});
    if (!found.output.empty()) secrets_.push_back(found.output);
  }
  const auto log = stack_->log("bridge");
  ASSERT_NE(log.find("/api/firmware/download/1.1.0"), std::string::npos) << "requests are logged at trace";
  const auto dump = run_command({"pg_dump", "-d", stack_->owner_conninfo()}).output;
  ASSERT_NE(dump.find("device_tokens"), std::string::npos) << dump;
  for (const auto& secret : secrets_) {
    EXPECT_EQ(log.find(secret), std::string::npos) << "a secret was logged";
    EXPECT_EQ(dump.find(secret), std::string::npos) << "a secret is in the database";
  }
}

TEST_F(DeviceAuth, ProductionRefusesDefaultsAndNamesEachOfThem) {
  const auto refused = run_command({kBridge, "--check-config"}, {{"OTA_PROFILE", "production"}});
  EXPECT_EQ(refused.exit_status, 2);
  for (const char* variable :
       {"DEVICE_AUTH", "REQUIRE_SIGNED", "API_KEY", "MQTT_USERNAME", "DOWNLOAD_KEY_FILE"})
    EXPECT_NE(refused.output.find(std::string("\n") + variable + ": "), std::string::npos) << refused.output;
  const auto taken = run_command({kBridge, "--check-config"}, {{"FIRMWARE_STORAGE_PATH", folder_.string()}});
  EXPECT_EQ(taken.exit_status, 0);
  EXPECT_NE(taken.output.find("OTA_PROFILE=production would ask: DEVICE_AUTH"), std::string::npos)
      << taken.output;
}

}  // namespace
}  // namespace ota
