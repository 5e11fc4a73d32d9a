// What otactl writes appears whole or not at all, and nothing of anybody else's is lost for it.
#include "tests/unit/otactl/otactl_fixture.hpp"

namespace ota::otactl {
namespace {

namespace fs = std::filesystem;

class Files : public Otactl {
 protected:
  // A certificate in a device's name, as a server would answer it.
  std::string make_certificate(const std::string& id) {
    const auto made = shell(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout /dev/null -subj /CN=" +
        id + " 2>/dev/null");
    EXPECT_EQ(made.exit_status, 0) << made.output;
    return made.output;
  }
  std::string issued(const std::string& certificate, const std::string& ca = "the root's") {
    std::string lines;
    for (const char c : certificate) lines += c == '\n' ? std::string("\\n") : std::string(1, c);
    return R"({"certificate":")" + lines + R"(","ca":")" + ca + R"(","not_after":"2030-01-01T00:00:00Z"})";
  }
  void answer_certificate(const std::string& id, const std::string& ca = "the root's") {
    certificate_ = make_certificate(id);
    answer(issued(certificate_, ca));
  }
  Result add(const std::string& id, std::vector<std::string> more = {}) {
    std::vector<std::string> command = {"device", "add", id, "--out", folder_.string()};
    command.insert(command.end(), more.begin(), more.end());
    return otactl(command);
  }

  std::string certificate_;
};

TEST_F(Files, OfADeviceAreItsKeyItsCertificateAndTheAuthoritys) {
  answer_certificate("esp-1");
  const auto added = add("esp-1");
  EXPECT_EQ(added.exit_status, 0) << added.output;
  EXPECT_EQ(names(), (std::vector<std::string>{"ca.crt", "esp-1.crt", "esp-1.key"}));
  EXPECT_EQ(read("esp-1.crt"), certificate_);
  EXPECT_EQ(fs::status(path("esp-1.key")).permissions(), fs::perms(0600));
  EXPECT_EQ(fs::status(path("esp-1.crt")).permissions() & fs::perms(0444), fs::perms(0444));
}

TEST_F(Files, OfADeviceStayUnlessForced) {
  answer_certificate("esp-1");
  ASSERT_EQ(add("esp-1").exit_status, 0);
  const auto key = read("esp-1.key");
  const auto asked = requests();
  const auto refused = add("esp-1");
  expect_failed(refused, "esp-1.key is there already and is not overwritten; --force replaces");
  EXPECT_EQ(requests(), asked) << "no certificate is issued for it";
  EXPECT_EQ(read("esp-1.key"), key);

  EXPECT_EQ(add("esp-1", {"--force"}).exit_status, 0);
  EXPECT_NE(read("esp-1.key"), key);
  const auto forced = read("esp-1.key");
  EXPECT_EQ(otactl({"device", "replace", "esp-1", "--out", folder_.string()}).exit_status, 0);
  EXPECT_NE(read("esp-1.key"), forced);
}

TEST_F(Files, OfSomethingElseAreNeverReplaced) {
  answer_certificate("issuing");
  write("issuing.key", "the authority's");
  for (const auto& more : std::vector<std::vector<std::string>>{{}, {"--force"}}) {
    expect_failed(add("issuing", more), "issuing.key is ");
    EXPECT_EQ(read("issuing.key"), "the authority's");
  }
  write("issuing.crt", make_certificate("OTA-Bridge-issuing"));
  expect_failed(add("issuing", {"--force"}), "it is no certificate of the device issuing");
  expect_failed(otactl({"device", "replace", "issuing", "--out", folder_.string()}),
                "it is no certificate of the device issuing");
  expect_failed(add("ca"), "where the authority's goes; give the device another id");
  EXPECT_EQ(names(), (std::vector<std::string>{"issuing.crt", "issuing.key"}));
  EXPECT_EQ(requests(), 0U);
}

TEST_F(Files, OfAnotherAuthorityAreKeptAside) {
  answer_certificate("esp-1", "first");
  ASSERT_EQ(add("esp-1").exit_status, 0);
  answer_certificate("esp-2", "second");
  const auto added = add("esp-2");
  EXPECT_EQ(added.exit_status, 0) << added.output;
  EXPECT_NE(added.output.find("ca.crt was another authority's certificate"), std::string::npos)
      << added.output;
  EXPECT_EQ(read("ca.crt") + read("ca.crt.old"), "secondfirst");
}

TEST_F(Files, AreNotLeftByAnOrderThatFails) {
  refuse("device esp-1 is revoked");
  expect_failed(add("esp-1"), "device esp-1 is revoked");
  EXPECT_EQ(names(), std::vector<std::string>{});
  answer(R"({"certificate":"x"})");
  expect_failed(add("esp-1"), "is not what otactl understands");
  EXPECT_EQ(names(), std::vector<std::string>{});
}

TEST_F(Files, WithATokenStayWhenNoneIsIssued) {
  write("esp-1.token", "earlier");
  for (const char* body : {"{}", "<html>"}) {
    answer(body);
    EXPECT_EQ(otactl({"device", "token", "esp-1", "-o", path("esp-1.token")}).exit_status, 1);
    EXPECT_EQ(read("esp-1.token"), "earlier");
  }
  EXPECT_EQ(names(), std::vector<std::string>{"esp-1.token"});
  answer(R"({"token":"otd_1"})");
  EXPECT_EQ(otactl({"device", "token", "esp-1", "-o", path("esp-1.token")}).exit_status, 0);
  EXPECT_EQ(read("esp-1.token"), "otd_1\n");
  EXPECT_EQ(fs::status(path("esp-1.token")).permissions(), fs::perms(0600));
}

TEST_F(Files, ThatCannotBeWrittenCostNoTokenAndSayWhy) {
  answer(R"({"token":"otd_1"})");
  expect_failed(shell("\"$0\" device token esp-1 -o tokens/esp-1"),
                "cannot write tokens/esp-1: No such file or directory");
  EXPECT_EQ(requests(), 0U) << "the earlier token is not ended for it";
  fs::create_symlink(path("elsewhere"), path("link"));
  expect_failed(otactl({"device", "token", "esp-1", "-o", path("link")}), "a folder, a link or a device");
  expect_failed(otactl({"device", "token", "esp-1", "-o", "/dev/full"}), "a folder, a link or a device");
  EXPECT_EQ(names(), std::vector<std::string>{"link"});
}

TEST_F(Files, WithAManifestStayWhenTheNewOneIsRefused) {
  ASSERT_EQ(shell("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out k.key").exit_status,
            0);
  write("app.bin", "image");
  write("app.manifest", "earlier");
  const std::string sign =
      "\"$0\" sign app.bin --key k.key --key-id k --model esp32 --sequence 1 -o app.manifest ";
  expect_failed(shell(sign + "--version '1 2'"), "version");
  EXPECT_EQ(read("app.manifest"), "earlier");
  EXPECT_EQ(shell(sign + "--version 1.2").exit_status, 0);
  EXPECT_EQ(read("app.manifest").substr(0, 16), "ota-manifest-v1\n");
}

TEST_F(Files, OnlyTheCertificateRequestOfAFileIsSent) {
  answer_certificate("esp-1");
  ASSERT_EQ(
      shell("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout own.key -subj /CN=x "
            "-out own.csr")
          .exit_status,
      0);
  for (const auto& other :
       {path("own.key"), std::string("/etc/passwd"), std::string(OTA_BINARY_DIR) + "/otactl/otactl",
        std::string("/dev/zero"), std::string("/dev/null"), path("not-there"), folder_.string()}) {
    const auto refused = add("esp-1", {"--csr", other});
    EXPECT_EQ(refused.exit_status, 1) << other << refused.output;
    EXPECT_NE(refused.output.find(other), std::string::npos) << refused.output;
  }
  EXPECT_EQ(requests(), 0U);
  write("both.pem", read("own.key") + read("own.csr"));
  const auto added = add("esp-1", {"--csr", path("both.pem")});
  EXPECT_EQ(added.exit_status, 0) << added.output;
  EXPECT_NE(last_body().find("BEGIN CERTIFICATE REQUEST"), std::string::npos) << last_body();
  EXPECT_EQ(last_body().find("PRIVATE KEY"), std::string::npos);
  EXPECT_FALSE(fs::exists(path("esp-1.key")));
  EXPECT_EQ(read("esp-1.crt"), certificate_);
}

}  // namespace
}  // namespace ota::otactl
