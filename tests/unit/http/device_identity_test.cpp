#include "http/device_identity.hpp"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/fleet_builders.hpp"
#include "tests/support/refused.hpp"

namespace ota::http {
namespace {

using fleet::DeviceAuth;
using fleet::ErrorKind;

class RequestOf final : public Request {
 public:
  RequestOf(std::map<std::string, std::string> headers, std::string_view name)
      : headers_(std::move(headers)) {
    client_name = name;
  }
  std::optional<std::string_view> header(const std::string& name) const override {
    const auto found = headers_.find(name);
    return found == headers_.end() || name == doubled ? std::nullopt
                                                      : std::optional<std::string_view>(found->second);
  }
  std::size_t header_count(const std::string& name) const override {
    return name == doubled ? 2 : headers_.count(name);
  }
  fleet::Expected<void> read_parts(const OnPart&, const OnBytes&) override { return {}; }
  Later answer_later() override { return {}; }

  std::string doubled;  ///< the name of a header that stands twice, so that it has no value

 private:
  const std::map<std::string, std::string> headers_;
};

// What is to be shown for dev1, by what DEVICE_AUTH asks for and what the request brings along.
struct Row {
  const char* name;
  DeviceAuth auth;
  const char* certificate;  // CN; empty: none
  const char* token;        // empty: none
  enum class Outcome { nothing, token, unauthorized, forbidden } outcome;
};
using Outcome = Row::Outcome;

class ProofToTest : public ::testing::TestWithParam<Row> {};

TEST_P(ProofToTest, IsByTheTable) {
  const auto& row = GetParam();
  const RequestOf request({{"X-Device-Token", row.token}}, row.certificate);
  const auto proof = proof_to_test(request, "dev1", row.auth, &tests::test_sha256);
  switch (row.outcome) {
    case Outcome::nothing:
      ASSERT_TRUE(proof);
      EXPECT_FALSE(*proof);
      break;
    case Outcome::token:
      ASSERT_TRUE(proof);
      EXPECT_EQ(*proof, tests::test_sha256(row.token));
      break;
    case Outcome::unauthorized:
    case Outcome::forbidden:
      ASSERT_FALSE(proof);
      EXPECT_EQ(proof.error().kind,
                row.outcome == Outcome::forbidden ? ErrorKind::forbidden : ErrorKind::unauthorized);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rows, ProofToTest,
    ::testing::Values(Row{"OpenAsksForNothing", DeviceAuth::open, "", "", Outcome::nothing},
                      Row{"OpenLooksAtNothing", DeviceAuth::open, "dev2", "t", Outcome::nothing},
                      Row{"Token", DeviceAuth::token, "", "t", Outcome::token},
                      Row{"NoToken", DeviceAuth::token, "", "", Outcome::unauthorized},
                      Row{"CertificateInPlaceOfAToken", DeviceAuth::token, "dev1", "", Outcome::nothing},
                      Row{"CertificateBesideAToken", DeviceAuth::token, "dev1", "t", Outcome::nothing},
                      Row{"TokenBehindAGateway", DeviceAuth::token, "gateway", "t", Outcome::token},
                      Row{"AnothersCertificate", DeviceAuth::token, "dev2", "", Outcome::forbidden},
                      Row{"Certificate", DeviceAuth::mtls, "dev1", "", Outcome::nothing},
                      Row{"AnothersCertificateByMtls", DeviceAuth::mtls, "dev2", "", Outcome::forbidden},
                      Row{"BeginningOfAName", DeviceAuth::mtls, "dev", "", Outcome::forbidden},
                      Row{"NoCertificate", DeviceAuth::mtls, "", "", Outcome::unauthorized},
                      Row{"TokenIsNoCertificate", DeviceAuth::mtls, "", "t", Outcome::unauthorized},
                      Row{"TokenBesideAnothersCertificate", DeviceAuth::mtls, "dev2", "t",
                          Outcome::forbidden}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(DeviceTokens, OfTwoNoneIsTakenAndTheSentenceSaysSo) {
  for (const char* name : {"X-Device-Token", "Authorization"}) {
    RequestOf request({}, "");
    request.doubled = name;
    const auto proof = proof_to_test(request, "dev1", DeviceAuth::token, &tests::test_sha256);
    ASSERT_FALSE(proof);
    EXPECT_EQ(proof.error().kind, ErrorKind::unauthorized);
    EXPECT_EQ(proof.error().message,
              "the request has 2 headers " + std::string(name) + "; send the device's token in one");
    EXPECT_EQ(
        test_support::refused(proof_to_test(request, "dev1", DeviceAuth::mtls, &tests::test_sha256)).message,
        "connect with the device's client certificate");
  }
}

}  // namespace
}  // namespace ota::http
