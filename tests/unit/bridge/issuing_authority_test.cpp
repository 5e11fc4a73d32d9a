// The authority on real keys and requests, good and hostile, made by the openssl command and by ca.sh.
#include "bridge/issuing_authority.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace ota::bridge {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

fleet::Time now() {
  return std::chrono::time_point_cast<std::chrono::microseconds>(
      std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class IssuingAuthorityTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = fs::path(::testing::TempDir()) / ("authority-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    ASSERT_EQ(run(OTA_SOURCE_DIR "/broker-config/ca.sh ca init"), 0);
    ASSERT_EQ(run("openssl ecparam -name prime256v1 -genkey -noout -out p256.key"), 0);
  }
  static void TearDownTestSuite() { fs::remove_all(folder_); }

  static int run(const std::string& command) {
    return std::system(("cd '" + folder_.string() + "' && (" + command + ") >log 2>&1").c_str());
  }
  static std::string csr(const std::string& key_options, const std::string& subject = "/CN=whatever",
                         const std::string& more = "") {
    EXPECT_EQ(run("openssl req -new -noenc -keyout new.key " + key_options + " -subj '" + subject +
                  "' -out new.csr " + more),
              0)
        << read(folder_ / "log");
    return read(folder_ / "new.csr");
  }
  static std::string p256_csr() { return csr("-newkey ec -pkeyopt ec_paramgen_curve:prime256v1"); }

  static std::unique_ptr<IssuingAuthority> authority(int days = 825) {
    auto loaded = IssuingAuthority::load((folder_ / "ca/chain.crt").string(),
                                         (folder_ / "ca/issuing.key").string(), days);
    EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().message);
    return std::move(*loaded);
  }
  static void expect_refused(const std::string& device_id, const std::string& request,
                             const std::string& why) {
    const auto issued = authority()->issue(device_id, request, now());
    ASSERT_FALSE(issued) << device_id;
    EXPECT_EQ(issued.error().kind, fleet::ErrorKind::invalid);
    EXPECT_NE(issued.error().message.find(why), std::string::npos) << issued.error().message;
  }
  static std::string shown(const std::string& pem, const std::string& options) {
    std::ofstream(folder_ / "shown.pem") << pem;
    EXPECT_EQ(run("openssl x509 -in shown.pem -noout " + options), 0);
    return read(folder_ / "log");
  }

  static fs::path folder_;
};

fs::path IssuingAuthorityTest::folder_;

TEST_F(IssuingAuthorityTest, IssuesWhatTheBrokerVerifies) {
  const auto at = now();
  const auto issued = authority()->issue("sensor:1", p256_csr(), at);
  ASSERT_TRUE(issued) << issued.error().message;
  std::ofstream(folder_ / "d.crt") << issued->pem;
  EXPECT_EQ(run("openssl verify -purpose sslclient -CAfile ca/ca.crt -untrusted ca/issuing.crt d.crt"), 0);
  EXPECT_NE(run("openssl verify -purpose sslserver -CAfile ca/ca.crt -untrusted ca/issuing.crt d.crt"), 0);
  EXPECT_NE(shown(issued->pem, "-subject -nameopt RFC2253").find("CN=sensor:1\n"), std::string::npos);
  EXPECT_EQ(issued->serial.size(), 32U);
  EXPECT_EQ(fleet::parse_serial("serial", shown(issued->pem, "-serial").substr(7, 32)), issued->serial);
  EXPECT_EQ(issued->not_after, at + 825 * 24h);
  EXPECT_EQ(authority()->trust_anchor(), read(folder_ / "ca/ca.crt"));
  EXPECT_NE(authority()->issue("sensor:1", p256_csr(), now())->serial, issued->serial);
}

TEST_F(IssuingAuthorityTest, WhatARequestSaysBeyondItsKeyCountsForNothing) {
  const auto request = csr("-newkey rsa:2048", "/O=Evil/CN=bridge@internal",
                           "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign "
                           "-addext subjectAltName=DNS:broker.example");
  const auto issued = authority()->issue("plain", request, now());
  ASSERT_TRUE(issued) << issued.error().message;
  const auto text = shown(issued->pem, "-text");
  EXPECT_NE(text.find("CA:FALSE"), std::string::npos);
  for (const char* foreign : {"Evil", "bridge@internal", "broker.example", "CA:TRUE", "Certificate Sign"}) {
    EXPECT_EQ(text.find(foreign), std::string::npos) << foreign;
  }
}

TEST_F(IssuingAuthorityTest, NamesThatAreNoDeviceIdsAreRefused) {
  const auto request = p256_csr();
  for (const char* id : {"bridge@internal", "monitor@internal", "canary@internal", "+", "#", "a/b", "..", "",
                         "with space", "a\nb", "ünicode"}) {
    expect_refused(id, request, "device_id");
  }
  expect_refused(std::string("nul\0byte", 8), request, "device_id");
  expect_refused(std::string(65, 'a'), request, "device_id");
}

TEST_F(IssuingAuthorityTest, WeakAndOddKeysAreRefused) {
  const char* why = "key of the wrong kind";
  expect_refused("d", csr("-newkey rsa:1024"), why);
  expect_refused("d", csr("-newkey ec -pkeyopt ec_paramgen_curve:secp384r1"), why);
  expect_refused("d", csr("-newkey ec -pkeyopt ec_paramgen_curve:secp256k1"), why);
  expect_refused("d", csr("-newkey ed25519"), why);
  expect_refused("d", csr("-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -pkeyopt ec_param_enc:explicit"),
                 why);
}

TEST_F(IssuingAuthorityTest, OnlyAWholeRequestThatItsOwnKeySignedIsTaken) {
  const auto good = p256_csr();
  expect_refused("d", "", "not a certificate request");
  expect_refused("d", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
                 "not a certificate request");
  expect_refused("d", good.substr(0, good.size() / 2), "not a certificate request");
  expect_refused("d", read(folder_ / "ca/ca.crt"), "not a certificate request");
  expect_refused("d", good + std::string(fleet::kCsrBytesMax, '\n'), "at most 8192");
  // The last byte of the signature is in the last line but one.
  ASSERT_EQ(run("openssl req -in new.csr -outform DER -out new.der && "
                "printf '\\377' | dd of=new.der bs=1 seek=$(($(stat -c %s new.der) - 1)) conv=notrunc && "
                "openssl req -inform DER -in new.der -out bent.csr"),
            0);
  expect_refused("d", read(folder_ / "bent.csr"), "not signed by the key");
}

TEST_F(IssuingAuthorityTest, FilesThatDoNotBelongTogetherAreRefused) {
  const auto chain = (folder_ / "ca/chain.crt").string();
  const auto load = [&](const std::string& cert, const std::string& key) {
    const auto loaded = IssuingAuthority::load(cert, key, 825);
    return loaded ? std::string() : loaded.error().message;
  };
  EXPECT_NE(load(chain, (folder_ / "p256.key").string()).find("is not the key"), std::string::npos);
  EXPECT_NE(load(chain, (folder_ / "missing").string()).find("cannot read"), std::string::npos);
  EXPECT_NE(load((folder_ / "p256.key").string(), (folder_ / "p256.key").string()).find("no certificate"),
            std::string::npos);
  ASSERT_EQ(run("cat ca/ca.crt ca/issuing.crt >turned.crt"), 0);
  EXPECT_NE(
      load((folder_ / "turned.crt").string(), (folder_ / "ca/root/root.key").string()).find("must hold"),
      std::string::npos);
}

TEST_F(IssuingAuthorityTest, NothingOutlivesTheIssuingCertificate) {
  const auto issued = authority(20 * 365)->issue("d", p256_csr(), now());
  ASSERT_TRUE(issued);
  EXPECT_EQ(issued->not_after, authority()->ends_at());
  const auto late = authority()->issue("d", p256_csr(), authority()->ends_at() - 1h);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, fleet::ErrorKind::unavailable);
}

TEST_F(IssuingAuthorityTest, AListHoldsWhatWasRevokedAndVerifies) {
  const auto at = now() - 1h;
  const std::vector<fleet::RevokedSerial> revoked = {{"0102", at}, {"4f00000000000000000000000000000a", at}};
  const auto until = now() + 90 * 24h;
  const auto list = authority()->sign_list(revoked, now(), until);
  ASSERT_TRUE(list) << list.error().message;
  std::ofstream(folder_ / "made.crl") << *list;
  EXPECT_EQ(run("openssl crl -in made.crl -noout -CAfile ca/issuing.crt"), 0);
  const auto back = authority()->read_list(*list);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->entries, revoked);
  EXPECT_EQ(back->entries.front().revoked_at, at);
  EXPECT_EQ(back->next_update, until);
}

TEST_F(IssuingAuthorityTest, ReadsTheListOfTheScriptAndNoBrokenOne) {
  const auto list = read(folder_ / "ca/crl.pem");
  EXPECT_TRUE(authority()->read_list(list));
  EXPECT_FALSE(authority()->read_list(""));
  EXPECT_FALSE(authority()->read_list(list.substr(0, list.size() - 40)));
  EXPECT_FALSE(authority()->read_list("garbage"));
  ASSERT_EQ(run(OTA_SOURCE_DIR "/broker-config/ca.sh other init"), 0);
  EXPECT_FALSE(authority()->read_list(read(folder_ / "other/crl.pem"))) << "another authority's";
}

TEST_F(IssuingAuthorityTest, AListThatReadsBackOtherwiseIsNotSigned) {
  const auto at = now();
  EXPECT_TRUE(authority()->sign_list({{"4a", at}, {"4b", at}}, at, at + 24h));
  EXPECT_FALSE(authority()->sign_list({{"4a", at}, {"4a", at}}, at, at + 24h));
  EXPECT_FALSE(authority()->sign_list({{"4b", at}, {"4a", at}}, at, at + 24h)) << "nor one out of order";
}

TEST_F(IssuingAuthorityTest, TheScriptKeepsWhatTheBridgeHasListed) {
  ASSERT_EQ(run(OTA_SOURCE_DIR "/broker-config/ca.sh shared init"), 0);
  auto shared = IssuingAuthority::load((folder_ / "shared/chain.crt").string(),
                                       (folder_ / "shared/issuing.key").string(), 825);
  ASSERT_TRUE(shared);
  std::ofstream(folder_ / "shared/crl.pem")
      << *(*shared)->sign_list({{"4f00000000000000000000000000000a", now()}}, now(), now() + 90 * 24h);
  ASSERT_EQ(run(OTA_SOURCE_DIR "/broker-config/ca.sh shared device devices d && " OTA_SOURCE_DIR
                               "/broker-config/ca.sh shared revoke devices/d.crt"),
            0)
      << read(folder_ / "log");
  const auto both = (*shared)->read_list(read(folder_ / "shared/crl.pem"));
  ASSERT_TRUE(both);
  EXPECT_EQ(both->entries.size(), 2U);
}

TEST_F(IssuingAuthorityTest, RecognisesDevicesCertificatesOfTheScriptAndNobodyElses) {
  ASSERT_EQ(run(OTA_SOURCE_DIR "/broker-config/ca.sh ca device devices made && " OTA_SOURCE_DIR
                               "/broker-config/ca.sh ca server && " OTA_SOURCE_DIR
                               "/broker-config/ca.sh stranger init && " OTA_SOURCE_DIR
                               "/broker-config/ca.sh stranger device foreign made"),
            0)
      << read(folder_ / "log");
  const auto recognised =
      authority()->recognise(read(folder_ / "devices/made.crt") + read(folder_ / "ca/server.crt") +
                             read(folder_ / "foreign/made.crt"));
  ASSERT_TRUE(recognised);
  ASSERT_EQ(recognised->ours.size(), 1U);
  EXPECT_EQ(recognised->ours[0].device_id, "made");
  ASSERT_EQ(run("openssl x509 -in devices/made.crt -noout -serial"), 0);
  EXPECT_EQ(fleet::parse_serial("serial", read(folder_ / "log").substr(7, 40)).value_or("none"),
            recognised->ours[0].certificate.serial);
  EXPECT_EQ(recognised->foreign.size(), 3U) << "the server's, its authority's, and a stranger's";
  EXPECT_FALSE(authority()->recognise("no certificate"));
  const auto made = read(folder_ / "devices/made.crt");
  EXPECT_FALSE(authority()->recognise(made + made.substr(0, made.size() / 2) + '\n' + made))
      << "one behind a broken one would be passed over in silence";
}

TEST_F(IssuingAuthorityTest, ACanaryBearsANameNoDeviceCanHave) {
  const auto canary = authority()->make_canary(now(), 1h);
  ASSERT_TRUE(canary);
  EXPECT_NE(shown(canary->certificate, "-subject").find("canary@internal"), std::string::npos);
  EXPECT_TRUE(
      IssuingAuthority::is_canary(canary->serial.size() == 30 ? "01" + canary->serial : canary->serial));
  EXPECT_FALSE(IssuingAuthority::is_canary(authority()->issue("d", p256_csr(), now())->serial));
}

}  // namespace
}  // namespace ota::bridge
