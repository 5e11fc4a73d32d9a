// The bridge over HTTPS, as ./ota up --https starts it, and clients of all kinds.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/eventually.hpp"
#include "tests/support/rest_client.hpp"
#include "tests/support/stack.hpp"

namespace ota {
namespace {

using namespace std::chrono_literals;
using test_support::CommandResult;
using test_support::Enrolment;
using test_support::eventually;
using test_support::RestClient;
using test_support::run_command;
using test_support::Stack;

// Exit statuses of curl.
constexpr int kDone = 0;
constexpr int kNoHandshake = 35;
constexpr int kNotTrusted = 60;

class Https : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { stack_ = new Stack({"postgres", "mosquitto", "bridge"}, {}, {"--https"}); }
  static void TearDownTestSuite() { delete stack_; }

  static std::string url(const std::string& path) { return stack_->env("OTA_URL") + path; }
  static CommandResult curl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"curl", "-sS", "--noproxy", "*", "--max-time", "20"});
    return run_command(arguments);
  }
  static CommandResult trusting_curl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--cacert", stack_->env("OTA_CA")});
    return curl(std::move(arguments));
  }
  static std::string renewal_of(const Enrolment& device) {
    const auto answer = trusting_curl({"--cert", device.cert, "--key", device.key, "-d", R"({"csr":"none"})",
                                       "-H", "Content-Type: application/json", url("/api/device/renew")});
    return std::to_string(answer.exit_status) + " " + answer.output;
  }

  static Stack* stack_;
};
Stack* Https::stack_ = nullptr;

TEST_F(Https, ClientsVerifyTheServerByAuthorityAndHostName) {
  const auto healthy = trusting_curl({url("/health")});
  EXPECT_EQ(healthy.exit_status, kDone);
  EXPECT_NE(healthy.output.find("\"healthy\""), std::string::npos) << healthy.output;
  EXPECT_EQ(curl({url("/health")}).exit_status, kNotTrusted);
  const auto port = stack_->env("OTA_URL").substr(stack_->env("OTA_URL").rfind(':'));
  EXPECT_EQ(trusting_curl(
                {"--resolve", "ota.example" + port + ":127.0.0.1", "https://ota.example" + port + "/health"})
                .exit_status,
            kNotTrusted);
}

TEST_F(Https, TheServersCertificateSaysWhereTheListOfTheRevokedIs) {
  const auto directory = stack_->directory();
  const auto where = run_command({"openssl", "x509", "-in", (directory / "ca/server.crt").string(), "-noout",
                                  "-ext", "crlDistributionPoints"});
  EXPECT_NE(where.output.find("URI:" + url("/api/pki/crl")), std::string::npos) << where.output;

  const auto device = stack_->enrol("revoked-1");
  const auto answer =
      RestClient(*stack_).post("/api/admin/devices/revoked-1/revoke", nlohmann::json::object());
  ASSERT_EQ(answer.status, 200) << answer.body;
  const auto serial =
      run_command({"openssl", "x509", "-in", device.cert, "-noout", "-serial"}).output.substr(7);
  const auto fetched = (directory / "fetched.crl").string();
  CommandResult list;
  EXPECT_TRUE(eventually([&] {
    EXPECT_EQ(trusting_curl({"-o", fetched, url("/api/pki/crl")}).exit_status, kDone);
    list = run_command({"openssl", "crl", "-inform", "DER", "-in", fetched, "-noout", "-text", "-verify",
                        "-CAfile", (directory / "ca/chain.crt").string()});
    return list.output.find("Serial Number: " + serial) != std::string::npos;
  })) << serial
      << list.output;
  EXPECT_NE(list.output.find("verify OK"), std::string::npos) << list.output;
}

TEST_F(Https, MetricsTellHowLongTheCertificatesLast) {
  const auto text = trusting_curl({url("/metrics?format=prometheus")}).output;
  for (const auto& [which, file] : {std::pair{"server", "ca/server.crt"}, {"issuing", "ca/issuing.crt"}}) {
    const auto name = "ota_certificate_seconds_left{certificate=\"" + std::string(which) + "\"} ";
    const auto at = text.find(name);
    ASSERT_NE(at, std::string::npos) << text;
    const auto left = std::stoll(text.substr(at + name.size()));
    const auto certificate = (stack_->directory() / file).string();
    const auto lasts = [&](long long seconds) {
      return run_command(
                 {"openssl", "x509", "-in", certificate, "-noout", "-checkend", std::to_string(seconds)})
                 .exit_status == 0;
    };
    EXPECT_TRUE(lasts(left - 3600)) << which << ' ' << left;
    EXPECT_FALSE(lasts(left + 3600)) << which << ' ' << left;
  }
}

TEST_F(Https, OldVersionsAndWeakCiphersAreRefused) {
  EXPECT_EQ(
      trusting_curl({"--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0", url("/health")}).exit_status,
      kNoHandshake);
  EXPECT_EQ(trusting_curl({"--tls-max", "1.2", "--ciphers", "AES128-GCM-SHA256", url("/health")}).exit_status,
            kNoHandshake)
      << "no forward secrecy";
  EXPECT_EQ(trusting_curl({"--tls-max", "1.2", url("/health")}).exit_status, kDone);
}

TEST_F(Https, PlainHttpIsToldToComeBackOverHttps) {
  const auto answer = curl({"-w", " %{http_code}", "http" + url("/health").substr(5)});
  EXPECT_NE(answer.output.find("https://"), std::string::npos) << answer.output;
  EXPECT_NE(answer.output.find(" 400"), std::string::npos) << answer.output;
}

TEST_F(Https, TheNameInADevicesCertificateReachesTheHandlerUntilItIsRevoked) {
  const auto device = stack_->enrol("https-1");
  // The handler goes on to the request for a certificate, which is none.
  EXPECT_NE(renewal_of(device).find("csr"), std::string::npos) << renewal_of(device);
  const auto nameless = trusting_curl({"-d", R"({"csr":"none"})", url("/api/device/renew")});
  EXPECT_NE(nameless.output.find("present certificate"), std::string::npos) << nameless.output;
  stack_->revoke("https-1");
  EXPECT_TRUE(eventually([&] { return renewal_of(device).find("csr") == std::string::npos; }));
  EXPECT_NE(renewal_of(device).substr(0, 2), "0 ") << renewal_of(device);
  EXPECT_EQ(trusting_curl({url("/health")}).exit_status, kDone);
}

TEST_F(Https, ASimulatedDeviceUpdatesOverHttpsAndTrustsNoOtherServer) {
  RestClient rest(*stack_);
  rest.release_to_all("1.1.0", "https-board", std::string(300'000, 'x'));
  const auto run = [](const std::string& id, const std::string& ca, const std::string& timeout_s) {
    return run_command({std::string(OTA_BINARY_DIR) + "/esp-client/ota-device",
                        "--id",
                        id,
                        "--model",
                        "https-board",
                        "--version",
                        "1.0.0",
                        "--rest",
                        stack_->env("OTA_URL"),
                        "--http-ca",
                        ca,
                        "--state",
                        (stack_->directory() / "devices-https").string(),
                        "--interval-s",
                        "1",
                        "--reboot-ms",
                        "100",
                        "--once",
                        "--timeout-s",
                        timeout_s});
  };
  const auto done = run("https-2", stack_->env("OTA_CA"), "60");
  EXPECT_EQ(done.exit_status, 0) << done.output;
  const auto other = stack_->enrol("https-3").cert;
  EXPECT_NE(run("https-3", other, "3").exit_status, 0);
}

// The file that enrolment writes is not there yet, so another one says whom to trust.
TEST_F(Https, ADeviceEnrolsAtTheServerItIsToldToTrust) {
  const auto token = RestClient(*stack_).post("/api/admin/enrolment-tokens", {{"device_id", "https-4"}});
  ASSERT_EQ(token.status, 201) << token.body;
  const auto base = (stack_->directory() / "https-4").string();
  std::ofstream(base + ".token") << token.json().at("token").get<std::string>();
  const auto enrol = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {std::string(OTA_BINARY_DIR) + "/esp-client/ota-device",
                               "--id",
                               "https-4",
                               "--model",
                               "https-board-4",
                               "--version",
                               "1.0.0",
                               "--rest",
                               stack_->env("OTA_URL"),
                               "--ca",
                               base + ".ca",
                               "--cert",
                               base + ".crt",
                               "--key",
                               base + ".key",
                               "--enroll-url",
                               stack_->env("OTA_URL"),
                               "--enroll-token-file",
                               base + ".token",
                               "--state",
                               base + ".state",
                               "--timeout-s",
                               "1"});
    return run_command(more);
  };
  const auto refused = enrol({});
  EXPECT_EQ(refused.exit_status, 2);
  EXPECT_NE(refused.output.find("give the certificate of the server's authority by --http-ca"),
            std::string::npos)
      << refused.output;
  const auto done = enrol({"--http-ca", stack_->env("OTA_CA")});
  EXPECT_EQ(done.exit_status, 0) << done.output;
  EXPECT_NE(done.output.find("https-4: enrolled"), std::string::npos) << done.output;
  EXPECT_TRUE(std::filesystem::exists(base + ".ca"));
}

TEST_F(Https, AThousandHalfOpenHandshakesAreCutWhileHealthAnswers) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  const auto port = std::stoi(stack_->env("OTA_URL").substr(stack_->env("OTA_URL").rfind(':') + 1));
  std::vector<int> half_open;
  for (int i = 0; i < 1000; ++i) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    // The head of a ClientHello, and no more.
    ASSERT_EQ(::send(fd, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11, MSG_NOSIGNAL), 11);
    half_open.push_back(fd);
  }
  for (int i = 0; i < 20; ++i) {
    // Long before the first of them is cut.
    EXPECT_EQ(trusting_curl({"--max-time", "5", url("/health")}).exit_status, kDone);
  }
  const timeval wait{30, 0};
  for (const int fd : half_open) {
    char byte = 0;
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    EXPECT_EQ(::recv(fd, &byte, 1, 0), 0) << "still open after the request timeout";
    ::close(fd);
  }
}

}  // namespace
}  // namespace ota
