// Devices' certificates on the real broker: how a device gets one, and what losing it means.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/database.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/hand_played_device.hpp"
#include "tests/support/mqtt_client.hpp"
#include "tests/support/rest_client.hpp"
#include "tests/support/stack.hpp"

namespace ota {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using nlohmann::json;
using test_support::Database;
using test_support::Enrolment;
using test_support::eventually;
using test_support::HandPlayedDevice;
using test_support::MqttClient;
using test_support::MqttLogin;
using test_support::MqttPeer;
using test_support::RestClient;
using test_support::run_command;
using test_support::Stack;

constexpr int kWelcome = 0;
constexpr auto kCutWithin = 10s;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Identity : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { stack_ = new Stack({"postgres", "mosquitto", "bridge"}); }
  static void TearDownTestSuite() { delete stack_; }

  // A key of the device's own, and a request for it.
  std::string make_csr(const std::string& id) {
    const auto base = (stack_->directory() / id).string();
    const auto made =
        run_command({"openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                     "-noenc", "-keyout", base + ".key", "-subj", "/CN=x", "-out", base + ".csr"});
    EXPECT_EQ(made.exit_status, 0) << made.output;
    return read(base + ".csr");
  }
  Enrolment keep(const std::string& id, const json& answer) {
    const auto base = (stack_->directory() / id).string();
    std::ofstream(base + ".crt") << answer.at("certificate").get<std::string>();
    std::ofstream(base + ".ca") << answer.at("ca").get<std::string>();
    return {base + ".crt", base + ".key", base + ".ca"};
  }
  std::string make_token(const json& body = json::object()) {
    const auto made = rest_.post("/api/admin/enrolment-tokens", body);
    EXPECT_EQ(made.status, 201) << made.body;
    return made.json().value("token", "");
  }
  test_support::RestAnswer enrol(const std::string& id, const std::string& token, const std::string& csr) {
    return rest_.post("/api/device/enroll", {{"device_id", id}, {"token", token}, {"csr", csr}});
  }
  static MqttLogin login(const Enrolment& enrolment) {
    MqttLogin login;
    login.host = stack_->env("MQTT_HOST");
    login.port = stack_->port("MQTTS_PORT");
    login.ca = enrolment.ca;
    login.cert = enrolment.cert;
    login.key = enrolment.key;
    return login;
  }
  static bool may_connect(const Enrolment& enrolment) {
    return MqttClient(login(enrolment)).connect() == kWelcome;
  }
  // Whether an offer is retained for the device.
  static bool is_offer_retained(const std::string& id) {
    MqttPeer bridge(*stack_, "BRIDGE");
    bridge.subscribe("ota/v1/device/" + id + "/offer");
    return bridge.wait_for([](const auto& m) { return m.retained && !m.payload.empty(); }, 0, 500ms)
        .has_value();
  }

  static Stack* stack_;
  RestClient rest_{*stack_};
  Database database_{*stack_};
};

Stack* Identity::stack_ = nullptr;

TEST_F(Identity, ADeviceEnrolsByItsTokenAndIsServed) {
  const auto csr = make_csr("fresh-1");
  const auto token = make_token({{"device_id", "fresh-1"}});
  const auto answer = enrol("fresh-1", token, csr);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const auto enrolment = keep("fresh-1", answer.json());
  EXPECT_EQ(read(enrolment.ca), read(stack_->directory() / "ca" / "ca.crt"));
  MqttPeer device(*stack_, "fresh-1", enrolment);
  device.subscribe("ota/v1/device/fresh-1/offer");
  device.publish("ota/v1/device/fresh-1/check", R"({"device_model":"esp32","current_version":"1.0.0"})");
  EXPECT_TRUE(
      device.wait_for([](const auto& m) { return m.payload.find("update_available") != std::string::npos; }));
  EXPECT_EQ(database_.value("SELECT issued_by FROM device_certificates WHERE device_id = 'fresh-1'"),
            "admin");
}

TEST_F(Identity, ATokenIsUsedOnce) {
  const auto csr = make_csr("once-1");
  const auto token = make_token();
  const auto first = enrol("once-1", token, csr);
  ASSERT_EQ(first.status, 200) << first.body;
  EXPECT_EQ(enrol("once-1", token, csr).body, first.body) << "the answer was lost, the same again";
  EXPECT_EQ(enrol("once-1", token, make_csr("once-1")).status, 403);
  EXPECT_EQ(enrol("once-2", token, make_csr("once-2")).status, 403);
  EXPECT_EQ(enrol("once-1", std::string(64, '0'), csr).status, 401);
  EXPECT_EQ(database_.value("SELECT count(*) FROM device_certificates WHERE device_id LIKE 'once-%'"), "1");
  EXPECT_NE(database_.value("SELECT count(*) FROM ota_events WHERE event_type = 'enrolment_refused'"), "0");
  EXPECT_EQ(database_.value("SELECT count(*) FROM enrolment_tokens WHERE token_sha256 = '" + token + "'"),
            "0")
      << "the token itself is stored nowhere";
}

TEST_F(Identity, NamesOfOthersGetNoCertificate) {
  const auto csr = make_csr("plain-1");
  for (const char* name : {"bridge@internal", "monitor@internal", "+", "%23", "a%2Fb", ".."}) {
    const auto answer =
        rest_.post(std::string("/api/admin/devices/") + name + "/certificate", {{"csr", csr}});
    EXPECT_GE(answer.status, 400) << name;
    EXPECT_LT(answer.status, 500) << name;
  }
  EXPECT_EQ(enrol("bridge@internal", make_token(), csr).status, 422);
  EXPECT_EQ(
      database_.value("SELECT count(*) FROM device_certificates WHERE device_id !~ '^[A-Za-z0-9._:-]+$'"),
      "0");
}

TEST_F(Identity, ARevokedDeviceIsCutOffAndItsOfferRemoved) {
  const auto enrolment = stack_->enrol("thief-1");
  ASSERT_GT(rest_.release_to_all("1.1.0", "stolen-model", "image"), 0);
  {
    HandPlayedDevice device(*stack_, "thief-1", "stolen-model");
    ASSERT_EQ(device.check("1.0.0").value("update_available", false), true);
  }
  ASSERT_TRUE(eventually([&] { return is_offer_retained("thief-1"); }));
  MqttClient device(login(enrolment));
  ASSERT_EQ(device.connect(), kWelcome);

  const auto began = std::chrono::steady_clock::now();
  const auto revoked = rest_.post("/api/admin/devices/thief-1/revoke", {{"why", "stolen"}});
  ASSERT_EQ(revoked.status, 200) << revoked.body;
  EXPECT_EQ(revoked.json().value("certificates_revoked", 0), 1);
  EXPECT_TRUE(device.wait_for_disconnect(kCutWithin));
  EXPECT_FALSE(may_connect(enrolment));
  EXPECT_TRUE(eventually([&] { return !is_offer_retained("thief-1"); }, kCutWithin));
  EXPECT_LT(std::chrono::steady_clock::now() - began, kCutWithin + 1s);

  const auto check =
      rest_.get("/api/firmware/check?device_id=thief-1&device_model=stolen-model&current_version=6.6.6");
  EXPECT_EQ(check.status, 403) << check.body;
  EXPECT_EQ(
      rest_.post("/api/device/thief-1/update-status", {{"firmware_version", "1.1.0"}, {"status", "success"}})
          .status,
      403);
  EXPECT_EQ(database_.value("SELECT current_firmware_version FROM devices WHERE device_id = 'thief-1'"),
            "1.0.0");
  EXPECT_EQ(database_.value("SELECT count(*) FROM device_update_status WHERE device_id = 'thief-1'"), "0");

  // What it has planted to be said after its end says nothing either, and a new certificate takes an admin.
  EXPECT_EQ(enrol("thief-1", make_token({{"device_id", "thief-1"}}), make_csr("thief-1")).status, 403);
  ASSERT_EQ(rest_.post("/api/admin/devices/thief-1/reinstate", json::object()).status, 200);
  EXPECT_FALSE(may_connect(enrolment)) << "the old certificate stays revoked";
  const auto again = rest_.post("/api/admin/devices/thief-1/certificate", {{"csr", make_csr("thief-1")}});
  ASSERT_EQ(again.status, 200) << again.body;
  EXPECT_TRUE(may_connect(keep("thief-1", again.json())));
}

// Made by ca.sh, as an earlier version and a stack without its bridge do.
TEST_F(Identity, ACertificateFromElsewhereIsKnownAfterTheNextStartAndCutOffLikeOurs) {
  const auto directory = stack_->directory();
  const auto made =
      run_command({std::string(OTA_SOURCE_DIR) + "/broker-config/ca.sh", (directory / "ca").string(),
                   "device", (directory / "devices").string(), "made-1"});
  ASSERT_EQ(made.exit_status, 0) << made.output;
  const Enrolment enrolment{(directory / "devices/made-1.crt").string(),
                            (directory / "devices/made-1.key").string(), (directory / "ca/ca.crt").string()};
  stack_->up();
  MqttClient device(login(enrolment));
  ASSERT_EQ(device.connect(), kWelcome);
  EXPECT_EQ(
      rest_.post("/api/admin/devices/made-1/revoke", json::object()).json().value("certificates_revoked", 0),
      1);
  EXPECT_TRUE(device.wait_for_disconnect(kCutWithin));
  EXPECT_FALSE(may_connect(enrolment));
}

TEST_F(Identity, OtherHardwareTakesThePlaceOfTheOld) {
  const auto old = stack_->enrol("swap-1");
  ASSERT_TRUE(may_connect(old));
  const auto answer = rest_.post("/api/admin/devices/swap-1/replace", {{"csr", make_csr("swap-1")}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_TRUE(may_connect(keep("swap-1", answer.json())));
  EXPECT_TRUE(eventually([&] { return !may_connect(old); }, kCutWithin));
}

TEST_F(Identity, ABrokenListIsReplacedBeforeTheBrokerReadsIt) {
  const auto enrolment = stack_->enrol("gone-1");
  stack_->revoke("gone-1");
  ASSERT_TRUE(eventually([&] { return !may_connect(enrolment); }, kCutWithin));
  const auto list = stack_->directory() / "ca" / "crl.pem";
  const auto good = read(list);
  std::ofstream(list, std::ios::trunc) << good.substr(0, good.size() / 2);
  ASSERT_TRUE(eventually([&] { return read(list).find("END X509 CRL") != std::string::npos; }, 5s));
  stack_->kill("mosquitto", SIGHUP);
  EXPECT_FALSE(may_connect(enrolment));
  EXPECT_TRUE(may_connect(stack_->enrol("good-1")));
}

TEST_F(Identity, ASimulatedDeviceGetsItsOwnCertificateOnce) {
  ASSERT_GT(rest_.release_to_all("1.1.0", "self-model", "image"), 0);
  const auto base = (stack_->directory() / "self-1").string();
  std::ofstream(base + ".token") << make_token({{"device_id", "self-1"}}) << "\n";
  const std::vector<std::string> device = {std::string(OTA_BINARY_DIR) + "/esp-client/ota-device",
                                           "--id",
                                           "self-1",
                                           "--model",
                                           "self-model",
                                           "--version",
                                           "1.0.0",
                                           "--mqtt",
                                           stack_->env("MQTT_HOST") + ":" + stack_->env("MQTTS_PORT"),
                                           "--ca",
                                           (stack_->directory() / "ca" / "ca.crt").string(),
                                           "--cert",
                                           base + ".crt",
                                           "--key",
                                           base + ".key",
                                           "--http",
                                           stack_->env("OTA_URL"),
                                           "--enroll-url",
                                           stack_->env("OTA_URL"),
                                           "--enroll-token-file",
                                           base + ".token",
                                           "--state",
                                           base + ".state",
                                           "--once",
                                           "--timeout-s",
                                           "60"};
  const auto first = run_command(device);
  EXPECT_EQ(first.exit_status, 0) << first.output;
  EXPECT_EQ(fs::status(base + ".key").permissions(), fs::perms(0600));
  EXPECT_EQ(database_.value("SELECT current_firmware_version FROM devices WHERE device_id = 'self-1'"),
            "1.1.0");
  const auto certificate = read(base + ".crt");
  ASSERT_GT(rest_.release_to_all("1.2.0", "self-model", "image2"), 0);
  EXPECT_EQ(run_command(device).exit_status, 0) << "the token is used up, the certificate is not";
  EXPECT_EQ(read(base + ".crt"), certificate);
}

TEST_F(Identity, AnAdminDoesItAllByOtactl) {
  const auto out = (stack_->directory() / "admin").string();
  const auto otactl = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), std::string(OTA_BINARY_DIR) + "/otactl/otactl");
    return run_command(arguments, {{"OTA_URL", stack_->env("OTA_URL")}, {"API_KEY", stack_->env("API_KEY")}});
  };
  const auto added = otactl({"device", "add", "ctl-1", "--out", out});
  ASSERT_EQ(added.exit_status, 0) << added.output;
  const Enrolment enrolment{out + "/ctl-1.crt", out + "/ctl-1.key", out + "/ca.crt"};
  EXPECT_EQ(fs::status(enrolment.key).permissions(), fs::perms(0600));
  EXPECT_TRUE(may_connect(enrolment));
  EXPECT_NE(otactl({"device", "certificates", "ctl-1"}).output.find("valid"), std::string::npos);
  const auto revoked = otactl({"device", "revoke", "ctl-1", "--why", "test"});
  EXPECT_EQ(revoked.exit_status, 0);
  EXPECT_NE(revoked.output.find("certificates revoked: 1\n"), std::string::npos) << revoked.output;
  const auto mistyped = otactl({"device", "revoke", "clt-1"});
  EXPECT_EQ(mistyped.exit_status, 0) << "it is barred all the same";
  EXPECT_NE(mistyped.output.find("warning: no certificate was revoked"), std::string::npos)
      << mistyped.output;
  EXPECT_TRUE(eventually([&] { return !may_connect(enrolment); }, kCutWithin));
  EXPECT_EQ(otactl({"device", "add", "ctl-1", "--out", out}).exit_status, 1) << "its files are there";
  const auto refused = otactl({"device", "add", "ctl-1", "--out", out, "--force"});
  EXPECT_EQ(refused.exit_status, 1);
  EXPECT_NE(refused.output.find("is revoked"), std::string::npos) << refused.output;
  EXPECT_TRUE(fs::exists(enrolment.key)) << "a refused order changes no file";
  EXPECT_EQ(otactl({"device", "replace", "ctl-1", "--out", out}).exit_status, 0);
  EXPECT_TRUE(may_connect(enrolment)) << "the files are the new ones";
  EXPECT_EQ(otactl({"device", "decommission", "ctl-1"}).exit_status, 0);
  EXPECT_TRUE(eventually([&] { return !may_connect(enrolment); }, kCutWithin));
  const auto made = run_command({std::string(OTA_SOURCE_DIR) + "/broker-config/ca.sh",
                                 (stack_->directory() / "ca").string(), "device", out, "ctl-3"});
  ASSERT_EQ(made.exit_status, 0) << made.output;
  const auto adopted = otactl({"device", "adopt", out + "/ctl-3.crt", enrolment.cert, enrolment.ca});
  EXPECT_EQ(adopted.exit_status, 0);
  EXPECT_NE(adopted.output.find("1 certificates adopted, 1 known before"), std::string::npos)
      << adopted.output;
  EXPECT_EQ(otactl({"device", "adopt", out + "/ctl-3.key"}).exit_status, 1) << "a key stays here";
  EXPECT_EQ(otactl({"enrol-token", "create", "--device", "ctl-2", "--hours", "1"}).exit_status, 0);
  EXPECT_NE(otactl({"enrol-token", "list"}).output.find("ctl-2"), std::string::npos);
  EXPECT_EQ(otactl({"device", "add", "bridge@internal", "--out", out}).exit_status, 1);
}

TEST_F(Identity, TheListIsWatched) {
  const auto health = rest_.get("/health").json();
  ASSERT_TRUE(health.contains("revocation_list")) << health;
  EXPECT_EQ(health["revocation_list"].value("status", ""), "ok") << health;
  EXPECT_GT(health["revocation_list"].value("seconds_left", 0), 44 * 24 * 3600);
  EXPECT_NE(rest_.get("/metrics?format=prometheus").body.find("ota_crl_seconds_left "), std::string::npos);
}

}  // namespace
}  // namespace ota
