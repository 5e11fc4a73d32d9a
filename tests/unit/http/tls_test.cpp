#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "fleet/certificates.hpp"
#include "http/connection.hpp"
#include "http/tls_server.hpp"
#include "tests/support/eventually.hpp"
#include "tests/unit/http/server_fixture.hpp"
#include "tests/unit/http/test_authority.hpp"

namespace ota::tests {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using SessionPtr = std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)>;

constexpr char kGetHealth[] = "GET /health HTTP/1.1\r\nHost: t\r\n\r\n";

void replace_file(const std::string& path, const std::string& text) {
  std::ofstream(path + ".new", std::ios::binary) << text;
  std::filesystem::rename(path + ".new", path);
}

std::string hex_serial(X509* certificate) {
  const std::unique_ptr<BIGNUM, decltype(&BN_free)> number(
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr), BN_free);
  const std::unique_ptr<char, void (*)(char*)> text(BN_bn2hex(number.get()),
                                                    [](char* p) { OPENSSL_free(p); });
  return text.get();
}

std::string serial_of(SSL* tls) {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(tls), X509_free);
  return hex_serial(certificate.get());
}

class Tls : public ServerTest {
 protected:
  Tls() {
    authority_.add_device("dev1");
    authority_.add_device("dev2");
    options_.tls = authority_.server_files();
    client_tls_.ca = authority_.path("ca.crt");
  }
  void show_certificate(const std::string& name, const TestAuthority& from) {
    client_tls_.certificate = from.path(name + ".crt");
    client_tls_.key = from.path(name + ".key");
  }
  int health_status() {
    RawClient client(port());
    client.send(kGetHealth);
    return client.read_reply().status;
  }

  TestAuthority authority_;
};

TEST_F(Tls, ServesKeptAndPipelinedRequestsAndLargeBodiesBothWays) {
  std::string image(700'000, '\0');
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<char>(i * 7 + i / 251);
  add_image("1.1.0", "esp32", image);
  RawClient client(port());
  for (int i = 0; i < 3; ++i) {
    client.send(kGetHealth + std::string(kGetHealth));
    EXPECT_EQ(client.read_reply().status, 200);
    EXPECT_EQ(client.read_reply().status, 200);
  }
  client.send("GET /api/firmware/download/1.1.0 HTTP/1.1\r\nHost: t\r\n\r\n" + std::string(kGetHealth));
  const auto answer = client.read_reply();
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.body == image);
  EXPECT_EQ(client.read_reply().status, 200);
}

TEST_F(Tls, ADeviceRenewsByTheCertificateOfItsConnection) {
  show_certificate("dev1", authority_);
  const auto answer = post("/api/device/renew", R"({"csr":"CSR"})");
  ASSERT_EQ(answer.status, 200) << answer.body;
  ASSERT_EQ(certificates_.recorded.size(), 1U);
  const auto& issued = certificates_.recorded[0];
  EXPECT_EQ(issued.device_id, "dev1");
  EXPECT_EQ(issued.issuance, fleet::Issuance::renew);
  std::ifstream file(authority_.path("dev1.crt"));
  const std::string pem{std::istreambuf_iterator<char>(file), {}};
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  const std::unique_ptr<X509, decltype(&X509_free)> shown(
      PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), X509_free);
  EXPECT_EQ(issued.presented, fleet::parse_serial("serial", hex_serial(shown.get())).value());
  authority_.revoke("dev1");
  EXPECT_TRUE(test_support::eventually([&] {
    return post("/api/device/renew", R"({"csr":"CSR"})").status != 200;
  })) << "a revoked one gets no further than the handshake";
}

TEST_F(Tls, RefusesWhatIsOlderThanTls12) {
  client_tls_.version_max = TLS1_1_VERSION;
  EXPECT_FALSE(RawClient(port()).is_connected());
  client_tls_.version_max = TLS1_2_VERSION;
  EXPECT_TRUE(RawClient(port()).is_connected());
}

TEST_F(Tls, SpeaksHttp1AndSaysSoToWhomAsksForAnythingElse) {
  client_tls_.protocols = "\x02h2\x08http/1.1";
  {
    RawClient client(port());
    const unsigned char* chosen = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(client.tls(), &chosen, &size);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), size), "http/1.1");
  }
  client_tls_.protocols = "\x02h2";
  EXPECT_FALSE(RawClient(port()).is_connected());
}

TEST_F(Tls, TellsAPlainHttpClientToUseHttps) {
  const auto answer = call(Endpoint(port().port), "GET", "/health");
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find("https://"), std::string::npos) << answer.body;
  RawClient noise(Endpoint(port().port));
  noise.send("\x80\x2e\x01 what is this");
  EXPECT_TRUE(noise.is_closed_within(5s));
}

TEST_F(Tls, AThousandHalfOpenHandshakesHinderNobodyAndAreCutInTime) {
  options_.request_timeout = 4s;
  const Endpoint plain(port().port);
  std::vector<RawClient> half_open;
  for (int i = 0; i < 1000; ++i) {
    half_open.emplace_back(plain);
    // The head of a ClientHello of 512 bytes, and no more.
    half_open.back().send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
  }
  for (int i = 0; i < 30; ++i) {
    const auto began = Clock::now();
    EXPECT_EQ(health_status(), 200);
    EXPECT_LT(Clock::now() - began, 1s);
  }
  for (auto& client : half_open) ASSERT_TRUE(client.is_closed_within(10s));
}

TEST_F(Tls, ADrippingHandshakeIsCutAtTheRequestTimeout) {
  options_.request_timeout = 1s;
  RawClient drip(Endpoint(port().port));
  drip.send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
  const auto began = Clock::now();
  while (Clock::now() - began < 10s && drip.send("x")) std::this_thread::sleep_for(50ms);
  EXPECT_LT(Clock::now() - began, 8s);
}

TEST_F(Tls, AnImageThatShrinksEndsTheDownloadAndNotTheServer) {
  options_.upload_bytes_max = 32 * 1024 * 1024;
  add_image("1.1.0", "esp32", std::string(16 * 1024 * 1024, 'x'));
  RawClient client(port(), 4096);
  client.send("GET /api/firmware/download/1.1.0 HTTP/1.1\r\nHost: t\r\n\r\n");
  ASSERT_FALSE(client.read_some(1000).empty());
  for (const auto& file : std::filesystem::directory_iterator(folder_)) {
    if (file.is_regular_file()) std::filesystem::resize_file(file.path(), 10);
  }
  EXPECT_TRUE(client.is_closed_within(20s));
  EXPECT_EQ(health_status(), 200);
}

TEST_F(Tls, AcceptsClientsWithAndWithoutACertificateAndRefusesForeignAndRevokedOnes) {
  EXPECT_EQ(health_status(), 200);
  show_certificate("dev1", authority_);
  EXPECT_EQ(health_status(), 200);
  const TestAuthority other;
  other.add_device("dev1");
  show_certificate("dev1", other);
  EXPECT_EQ(health_status(), 0);
  show_certificate("server", authority_);
  EXPECT_EQ(health_status(), 0) << "a server's certificate is no client's";
}

TEST_F(Tls, ARevokedClientIsRefusedAndItsConnectionsAreCutWithoutARestart) {
  show_certificate("dev1", authority_);
  RawClient revoked(port());
  show_certificate("dev2", authority_);
  RawClient other(port());
  const auto lives = [](RawClient& client) {
    client.send(kGetHealth);
    return client.read_reply().status == 200;
  };
  ASSERT_TRUE(lives(revoked));
  ASSERT_TRUE(lives(other));
  authority_.revoke("dev1");
  bool other_lives = true;
  EXPECT_TRUE(test_support::eventually([&] {
    other_lives = other_lives && lives(other);
    return !lives(revoked);
  }));
  EXPECT_TRUE(other_lives && lives(other)) << "only who is revoked is cut";
  EXPECT_EQ(health_status(), 200);
  show_certificate("dev1", authority_);
  EXPECT_EQ(health_status(), 0);
}

TEST_F(Tls, ANewCertificateIsServedWithoutARestartAndABrokenOneIsNot) {
  const auto serial = [this] { return serial_of(RawClient(port()).tls()); };
  const auto first = serial();
  replace_file(authority_.path("server.key"), "no key");
  std::this_thread::sleep_for(5s);
  EXPECT_EQ(serial(), first);
  authority_.run({"renew-server"});
  EXPECT_TRUE(test_support::eventually([&] { return serial() != first; }));
}

TEST_F(Tls, SessionsResumeUntilTheRevocationListChanges) {
  show_certificate("dev1", authority_);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const bool has_tickets : {true, false}) {
      client_tls_.version_max = version;
      client_tls_.has_tickets = has_tickets;
      RawClient first(port());
      first.send(kGetHealth);
      EXPECT_EQ(first.read_reply().status, 200);
      const SessionPtr session(SSL_get1_session(first.tls()), SSL_SESSION_free);
      RawClient second(port(), 0, session.get());
      second.send(kGetHealth);
      EXPECT_EQ(second.read_reply().status, 200);
      EXPECT_EQ(SSL_session_reused(second.tls()), 1) << version << has_tickets;
    }
  }
  RawClient last(port());
  last.send(kGetHealth);
  EXPECT_EQ(last.read_reply().status, 200);
  const SessionPtr session(SSL_get1_session(last.tls()), SSL_SESSION_free);
  authority_.run({"crl"});
  EXPECT_TRUE(test_support::eventually([&] {
    RawClient again(port(), 0, session.get());
    return again.is_connected() && SSL_session_reused(again.tls()) == 0;
  }));
}

// What handlers get as client_name.
TEST_F(Tls, TheNameInAVerifiedCertificateIsTheConnections) {
  const auto server = http::TlsServer::open(options_.tls);
  ASSERT_TRUE(server);
  const auto name_with = [&](const std::string& device) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    const http::TransferLimits limits;
    http::Connection connection(ends[0], "peer", limits, server->get());
    std::thread client([&] {
      const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                      SSL_CTX_free);
      if (!device.empty()) {
        SSL_CTX_use_certificate_chain_file(context.get(), authority_.path(device + ".crt").c_str());
        SSL_CTX_use_PrivateKey_file(context.get(), authority_.path(device + ".key").c_str(),
                                    SSL_FILETYPE_PEM);
      }
      const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context.get()), SSL_free);
      SSL_set_fd(tls.get(), ends[1]);
      EXPECT_EQ(SSL_connect(tls.get()), 1);
    });
    auto outcome = http::Connection::Handshake::waits;
    while (outcome == http::Connection::Handshake::waits) {
      std::this_thread::sleep_for(1ms);
      outcome = connection.shake_hands();
    }
    client.join();
    ::close(ends[1]);
    EXPECT_EQ(outcome, http::Connection::Handshake::done);
    return connection.client().name + " " + connection.client().serial;
  };
  const auto shown = name_with("dev1");
  EXPECT_EQ(shown.substr(0, 5), "dev1 ");
  EXPECT_TRUE(fleet::parse_serial("serial", shown.substr(5))) << shown;
  EXPECT_EQ(name_with(""), " ");
}

}  // namespace
}  // namespace ota::tests
