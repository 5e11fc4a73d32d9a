// A server that was taken over cannot make a device with keys install anything its signer did not vouch for.
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/database.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/rest_client.hpp"
#include "tests/support/stack.hpp"

namespace ota {
namespace {

namespace fs = std::filesystem;
using test_support::CommandResult;
using test_support::Database;
using test_support::eventually;
using test_support::RestClient;
using test_support::run_command;
using test_support::Stack;

const std::string kImage(60000, 'g');
const std::string kForeign(60000, 'e');

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// The signer's desk: private keys that no server sees.
class Signer {
 public:
  Signer() : folder_(fs::path(::testing::TempDir()) / ("signer-" + std::to_string(::getpid()))) {
    fs::create_directories(keys());
    make_key("prod-1");
    make_key("thief-1");
    fs::remove(keys() / "thief-1.pem");
  }
  ~Signer() { fs::remove_all(folder_); }
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;

  [[nodiscard]] fs::path keys() const { return folder_ / "keys"; }

  std::string sign(const std::string& image, const std::string& model, const std::string& version,
                   int sequence, const std::string& key = "prod-1") {
    write(folder_ / "app.bin", image);
    const auto out = folder_ / "app.manifest";
    const auto done =
        run_command({std::string(OTA_BINARY_DIR) + "/otactl/otactl", "sign", (folder_ / "app.bin").string(),
                     "--key", (folder_ / (key + ".key")).string(), "--key-id", key, "--model", model,
                     "--version", version, "--sequence", std::to_string(sequence), "-o", out.string()});
    if (done.exit_status != 0) throw std::runtime_error("otactl: " + done.output);
    return read(out);
  }

 private:
  void make_key(const std::string& id) {
    const auto key = (folder_ / (id + ".key")).string();
    const auto made = run_command(
        {"openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key});
    const auto shown =
        run_command({"openssl", "pkey", "-in", key, "-pubout", "-out", (keys() / (id + ".pem")).string()});
    if (made.exit_status != 0 || shown.exit_status != 0) throw std::runtime_error(made.output + shown.output);
  }
  fs::path folder_;
};

class Trust : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    signer_ = new Signer;
    stack_ = new Stack({"postgres", "mosquitto", "bridge"},
                       {{"MANIFEST_KEYS", signer_->keys().string()}, {"REQUIRE_SIGNED", "1"}});
  }
  static void TearDownTestSuite() {
    delete stack_;
    delete signer_;
  }

  void SetUp() override {
    model_ = "m-" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name());
  }
  // A signed 1.1.0, and a rollout of it to all.
  void release(int sequence = 7) {
    const auto uploaded =
        rest_.upload("1.1.0", model_, kImage, signer_->sign(kImage, model_, "1.1.0", sequence));
    ASSERT_EQ(uploaded.status, 200) << uploaded.body;
    const auto created = rest_.post(
        "/api/admin/rollout/create",
        {{"name", model_}, {"firmware_version", "1.1.0"}, {"device_model", model_}, {"target_type", "all"}});
    ASSERT_EQ(created.status / 100, 2) << created.body;
  }
  [[nodiscard]] fs::path device_folder() const { return stack_->directory() / "devices-of-test" / model_; }
  // Runs a device over MQTT and mutual TLS until it has finished an update.
  CommandResult run_device() {
    const auto enrolment = stack_->enrol(model_);
    return run_command({std::string(OTA_BINARY_DIR) + "/esp-client/ota-device",
                        "--id",
                        model_,
                        "--model",
                        model_,
                        "--version",
                        "1.0.0",
                        "--mqtt",
                        stack_->env("MQTT_HOST") + ":" + stack_->env("MQTTS_PORT"),
                        "--ca",
                        enrolment.ca,
                        "--cert",
                        enrolment.cert,
                        "--key",
                        enrolment.key,
                        "--http",
                        stack_->env("OTA_URL"),
                        "--manifest-keys",
                        signer_->keys().string(),
                        "--state",
                        device_folder().parent_path().string(),
                        "--once",
                        "--timeout-s",
                        "60"});
  }
  // The device refused, its other slot is untouched, and the server knows why.
  void expect_refused(const std::string& why) {
    const auto device = run_device();
    EXPECT_EQ(device.exit_status, 1) << device.output;
    EXPECT_NE(read(device_folder() / "nvs").find("active=a\nversion=1.0.0\n"), std::string::npos);
    EXPECT_EQ(read(device_folder() / "slot-b.bin"), "");
    EXPECT_EQ(
        database_.value("SELECT error_message FROM device_update_status WHERE device_id = '" + model_ + "'"),
        "offer refused: " + why);
  }

  static Signer* signer_;
  static Stack* stack_;
  std::string model_;
  RestClient rest_{*stack_};
  Database database_{*stack_};
};

Signer* Trust::signer_ = nullptr;
Stack* Trust::stack_ = nullptr;

TEST_F(Trust, ASignedImageArrives) {
  release();
  const auto device = run_device();
  EXPECT_EQ(device.exit_status, 0) << device.output;
  EXPECT_EQ(read(device_folder() / "slot-b.bin"), kImage);
}

TEST_F(Trust, AForeignImageWithItsHashInTheDatabaseIsRefused) {
  release();
  const auto foreign = rest_.upload("6.6.6", "thief", kForeign, signer_->sign(kForeign, "thief", "6.6.6", 1));
  ASSERT_EQ(foreign.status, 200) << foreign.body;
  (void)database_.value(
      "UPDATE firmware_releases r SET file_path = f.file_path, checksum_sha256 = f.checksum_sha256, "
      "file_size = "
      "f.file_size FROM firmware_releases f WHERE f.version = '6.6.6' AND r.device_model = '" +
      model_ + "'");
  expect_refused("its manifest is for another image");
}

TEST_F(Trust, AManifestByTheThiefsKeyIsRefused) {
  release();
  (void)database_.value("UPDATE firmware_releases SET manifest = '" +
                        signer_->sign(kImage, model_, "1.1.0", 8, "thief-1") + "' WHERE device_model = '" +
                        model_ + "'");
  expect_refused("its manifest is not signed by a key of this device");
}

// As a release is that was stored before signatures were required.
TEST_F(Trust, AnImageWithoutItsManifestIsOfferedToNobodyUntilItHasOne) {
  release();
  (void)database_.value("UPDATE firmware_releases SET manifest = NULL WHERE device_model = '" + model_ + "'");
  const auto check =
      "/api/firmware/check?device_id=" + model_ + "&device_model=" + model_ + "&current_version=1.0.0";
  EXPECT_EQ(rest_.get(check).status, 200);
  EXPECT_TRUE(eventually([&] {
    return rest_.get("/api/admin/devices/" + model_ + "/explain").json()["reason"] == "not_signed";
  }));
  const auto answer = rest_.get(check).json();
  EXPECT_EQ(answer["update_available"], false);
  EXPECT_NE(answer.value("reason", "").find("has no signed manifest"), std::string::npos) << answer;
  const auto created = rest_.post("/api/admin/rollout/create", {{"name", model_ + " again"},
                                                                {"firmware_version", "1.1.0"},
                                                                {"device_model", model_},
                                                                {"target_type", "all"}});
  EXPECT_EQ(created.status, 409);
  EXPECT_NE(created.body.find("/manifest?device_model="), std::string::npos) << created.body;
  const auto added = rest_.post("/api/admin/firmware/1.1.0/manifest?device_model=" + model_,
                                {{"manifest", signer_->sign(kImage, model_, "1.1.0", 8)}});
  ASSERT_EQ(added.status, 200) << added.body;
  EXPECT_EQ(rest_.get(check).json()["update_available"], true);
}

TEST_F(Trust, AnotherModelsManifestIsRefused) {
  release();
  (void)database_.value("UPDATE firmware_releases SET manifest = '" +
                        signer_->sign(kImage, "esp32c3", "1.1.0", 9) + "' WHERE device_model = '" + model_ +
                        "'");
  expect_refused("its manifest is for another model");
}

TEST_F(Trust, AnOlderImageIsRefusedThoughItsSignatureIsGood) {
  release();
  ASSERT_EQ(run_device().exit_status, 0);
  const auto old = rest_.upload("1.0.5", model_, kForeign, signer_->sign(kForeign, model_, "1.0.5", 6));
  ASSERT_EQ(old.status, 200) << old.body;
  // The server's own check of sequences is what the thief switches off.
  (void)database_.value(
      "UPDATE firmware_releases SET manifest_sequence = 99 WHERE version = '1.0.5' AND device_model = '" +
      model_ + "'");
  const auto created = rest_.post("/api/admin/rollout/create", {{"name", model_ + " back"},
                                                                {"firmware_version", "1.0.5"},
                                                                {"device_model", model_},
                                                                {"target_type", "all"},
                                                                {"allow_downgrade", true}});
  ASSERT_EQ(created.status / 100, 2) << created.body;
  EXPECT_EQ(run_device().exit_status, 1);
  EXPECT_EQ(database_.value("SELECT error_message FROM device_update_status WHERE device_id = '" + model_ +
                            "' AND firmware_version = '1.0.5'"),
            "offer refused: its manifest is older than the newest one installed here");
  EXPECT_NE(read(device_folder() / "nvs").find("version=1.1.0\n"), std::string::npos);
}

TEST_F(Trust, AnImageSwappedOnTheServersDiskIsNotServed) {
  release();
  const auto path =
      database_.value("SELECT file_path FROM firmware_releases WHERE device_model = '" + model_ + "'");
  write(fs::path(stack_->env("FIRMWARE_STORAGE_PATH")) / path, kForeign);
  EXPECT_EQ(rest_.get("/api/firmware/download/1.1.0?device_model=" + model_).status, 500);
}

TEST_F(Trust, AServerThatRequiresSignaturesTakesNoUnsignedUpload) {
  EXPECT_EQ(rest_.upload("1.1.0", model_, kImage).status, 422);
}

}  // namespace
}  // namespace ota
