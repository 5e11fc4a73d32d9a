#include "http/tls_files.hpp"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>

#include "http/openssl_ptr.hpp"
#include "tests/unit/http/test_authority.hpp"

namespace ota::tests {
namespace {

namespace fs = std::filesystem;

class TlsFilesTest : public ::testing::Test {
 protected:
  std::string written(const std::string& name, const std::string& text) {
    std::ofstream(authority_.path(name)) << text;
    return authority_.path(name);
  }
  /// What the files are refused for; empty when they are not.
  static std::string problem(const http::TlsFiles& files) {
    const auto tested = http::test_tls_files(files);
    return tested ? "" : tested.error().message;
  }
  /// The server's certificate as one that ended yesterday. Not every openssl command makes such a one.
  std::string expired_copy(const http::TlsFiles& files) {
    const auto path = authority_.path("old.crt");
    const auto file = [](const std::string& name, const char* mode) {
      return std::unique_ptr<FILE, int (*)(FILE*)>(std::fopen(name.c_str(), mode), &std::fclose);
    };
    const http::CertificatePtr certificate(
        PEM_read_X509(file(files.certificate, "r").get(), nullptr, nullptr, nullptr));
    const http::KeyPtr key(PEM_read_PrivateKey(file(files.key, "r").get(), nullptr, nullptr, nullptr));
    EXPECT_NE(X509_gmtime_adj(X509_getm_notAfter(certificate.get()), -86400), nullptr);
    EXPECT_GT(X509_sign(certificate.get(), key.get(), EVP_sha256()), 0);
    EXPECT_EQ(PEM_write_X509(file(path, "w").get(), certificate.get()), 1);
    return path;
  }
  static void run(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

  TestAuthority authority_;
};

TEST_F(TlsFilesTest, TakesFilesThatFitTogether) {
  const auto tested = http::test_tls_files(authority_.server_files());
  ASSERT_TRUE(tested) << tested.error().message;
  EXPECT_TRUE(tested->empty()) << tested->front();
}

TEST_F(TlsFilesTest, RefusesEachBadFileByItsVariable) {
  authority_.add_device("dev1");
  const TestAuthority other;
  run("openssl pkey -in " + authority_.path("server.key") + " -aes256 -passout pass:secret -out " +
      authority_.path("encrypted.key"));
  const auto good = authority_.server_files();
  const std::string text_only = written("text", "not PEM");
  const std::string broken =
      written("broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  struct Case {
    const char* says;
    std::function<void(http::TlsFiles&)> change;
  };
  const Case cases[] = {
      {"HTTPS_CERT: /nowhere/cert cannot be read", [](auto& files) { files.certificate = "/nowhere/cert"; }},
      {"holds no certificate in PEM", [&](auto& files) { files.certificate = text_only; }},
      {"holds a broken certificate", [&](auto& files) { files.certificate = broken; }},
      {"HTTPS_KEY: /nowhere/key cannot be read", [](auto& files) { files.key = "/nowhere/key"; }},
      {"holds no private key", [&](auto& files) { files.key = text_only; }},
      {"is encrypted", [&](auto& files) { files.key = authority_.path("encrypted.key"); }},
      {"does not belong to the first certificate",
       [&](auto& files) { files.key = authority_.path("dev1.key"); }},
      {"HTTPS_CLIENT_CA: ", [&](auto& files) { files.client_ca = text_only; }},
      {"is no authority's", [&](auto& files) { files.client_ca = authority_.path("dev1.crt"); }},
      {"HTTPS_CLIENT_CRL: ", [&](auto& files) { files.client_crl = text_only; }},
      {"no authority in HTTPS_CLIENT_CA has signed",
       [&](auto& files) { files.client_crl = other.path("crl.pem"); }},
  };
  for (const auto& one : cases) {
    auto files = good;
    one.change(files);
    EXPECT_NE(problem(files).find(one.says), std::string::npos) << one.says << " / " << problem(files);
  }
}

TEST_F(TlsFilesTest, WarnsOfAKeyThatOthersCanReadAndOfAnExpiredCertificate) {
  const auto files = authority_.server_files();
  fs::permissions(files.key, fs::perms::others_read, fs::perm_options::add);
  auto expired = files;
  expired.certificate = expired_copy(files);
  const auto tested = http::test_tls_files(expired);
  ASSERT_TRUE(tested) << tested.error().message;
  ASSERT_EQ(tested->size(), 2U);
  EXPECT_NE(tested->at(0).find("chmod 0600"), std::string::npos);
  EXPECT_NE(tested->at(1).find("has expired"), std::string::npos);
}

}  // namespace
}  // namespace ota::tests
