// The routes of devices' identities: what they take, and whom they refuse.
#include <nlohmann/json.hpp>

#include "http/api.hpp"
#include "tests/unit/http/server_fixture.hpp"

namespace ota::tests {
namespace {

class CertificateRoutesTest : public ServerTest {
 protected:
  static nlohmann::json json(const Reply& reply) { return nlohmann::json::parse(reply.body, nullptr, false); }
};

TEST_F(CertificateRoutesTest, AnAdminHasACertificateIssued) {
  const auto answer =
      post_as_admin("/api/admin/devices/sensor:1/certificate", R"({"csr":"CSR","why":"new"})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(json(answer)["certificate"], "PEM of sensor:1");
  EXPECT_EQ(json(answer)["ca"], "ROOT");
  ASSERT_EQ(certificates_.recorded.size(), 1U);
  EXPECT_EQ(certificates_.recorded[0].by, "admin");
  EXPECT_EQ(certificates_.recorded[0].issuance, fleet::Issuance::add);
  EXPECT_EQ(lists_due_, 0);
}

TEST_F(CertificateRoutesTest, ReplacingTellsWhoeverWritesTheList) {
  EXPECT_EQ(post_as_admin("/api/admin/devices/a/replace", R"({"csr":"CSR"})").status, 200);
  EXPECT_EQ(certificates_.recorded[0].issuance, fleet::Issuance::replace);
  EXPECT_EQ(lists_due_, 1);
}

TEST_F(CertificateRoutesTest, WrongBodiesAreRefusedWithTheField) {
  for (const auto& [body, word] : {std::pair{R"({})", "csr"}, std::pair{R"({"csr":5})", "csr"},
                                   std::pair{R"({"csr":"other"})", "csr"}}) {
    const auto answer = post_as_admin("/api/admin/devices/a/certificate", body);
    EXPECT_EQ(answer.status, 422) << body;
    EXPECT_NE(answer.body.find(word), std::string::npos) << answer.body;
  }
  const auto long_csr = R"({"csr":")" + std::string(fleet::kCsrBytesMax + 1, 'A') + R"("})";
  EXPECT_EQ(post_as_admin("/api/admin/devices/a/certificate", long_csr).status, 422);
  EXPECT_EQ(post_as_admin("/api/admin/devices/bridge@internal/certificate", R"({"csr":"CSR"})").status, 422);
  EXPECT_EQ(post_as_admin("/api/admin/devices/a/revoke", R"({"serials":["xyz"]})").status, 422);
  EXPECT_EQ(post_as_admin("/api/admin/devices/a/revoke", R"({"serials":"4a"})").status, 422);
  EXPECT_EQ(post_as_admin("/api/admin/enrolment-tokens", R"({"valid_minutes":0})").status, 422);
  EXPECT_EQ(post_as_admin("/api/admin/enrolment-tokens", R"({"device_id":"a/b"})").status, 422);
  EXPECT_TRUE(certificates_.recorded.empty());
}

TEST_F(CertificateRoutesTest, SerialsAreTakenInAnySpelling) {
  const auto answer =
      post_as_admin("/api/admin/devices/a/revoke", R"({"why":"lost","serials":["00:AB:cd","0ff"]})");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(json(answer)["certificates_revoked"], 2);
  EXPECT_EQ(certificates_.revoked.serials, (std::vector<std::string>{"abcd", "ff"}));
  EXPECT_EQ(certificates_.revoked.why, "lost");
  EXPECT_EQ(lists_due_, 1);
}

TEST_F(CertificateRoutesTest, ADeviceEnrols) {
  const auto answer = post("/api/device/enroll", R"({"device_id":"a","token":"t","csr":"CSR"})");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(json(answer)["certificate"], "PEM of a");
  EXPECT_EQ(json(answer)["ca"], "ROOT");
  EXPECT_EQ(enrolments_.asked.token_sha256.size(), 64U) << "only its hash goes further";
  enrolments_.refuses = true;
  EXPECT_EQ(post("/api/device/enroll", R"({"device_id":"a","token":"t","csr":"CSR"})").status, 403);
  EXPECT_EQ(post("/api/device/enroll", R"({"device_id":"bridge@internal","token":"t","csr":"CSR"})").status,
            422);
  EXPECT_EQ(post("/api/device/enroll", R"({"device_id":"a","csr":"CSR"})").status, 422);
}

// As the handlers see it; no server on a loopback address has a peer elsewhere.
class EnrolmentFrom final : public http::Request {
 public:
  EnrolmentFrom(std::string_view from, bool over_tls) {
    peer = from;
    encrypted = over_tls;
    body = R"({"device_id":"a","token":"t","csr":"CSR"})";
  }
  std::optional<std::string_view> header(const std::string&) const override { return std::nullopt; }
  std::size_t header_count(const std::string&) const override { return 0; }
  fleet::Expected<void> read_parts(const OnPart&, const OnBytes&) override { return {}; }
  Later answer_later() override { return {}; }
};

TEST_F(CertificateRoutesTest, ATokenInTheClearIsTakenFromThisMachineAlone) {
  http::Api api(options_, make_ports());
  const auto status_for = [&](std::string_view from, bool over_tls) {
    EnrolmentFrom request(from, over_tls);
    return api.enrol(request).status;
  };
  for (const char* elsewhere : {"192.0.2.1", "1.127.0.0", "2001:db8::1", "::ffff:192.0.2.1", "::2", ""}) {
    EXPECT_EQ(status_for(elsewhere, false), 403) << elsewhere;
    EXPECT_EQ(enrolments_.asked.token_sha256, "") << elsewhere << ": nor is the token looked at";
  }
  for (const char* here : {"127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"})
    EXPECT_EQ(status_for(here, false), 200) << here;
  EXPECT_EQ(status_for("192.0.2.1", true), 200);
}

TEST_F(CertificateRoutesTest, GuessingTokensIsSlow) {
  const std::string body = R"({"device_id":"a","token":"t","csr":"CSR"})";
  enrolments_.refuses = true;
  for (int i = 0; i < fleet::kWrongKeysMax; ++i) EXPECT_EQ(post("/api/device/enroll", body).status, 403);
  enrolments_.guessed = true;
  for (int i = 0; i < fleet::kWrongKeysMax; ++i) EXPECT_EQ(post("/api/device/enroll", body).status, 401) << i;
  enrolments_.guessed = enrolments_.refuses = false;
  const auto answer = post("/api/device/enroll", body);
  EXPECT_EQ(answer.status, 429) << "now the right one is passed over, too";
  EXPECT_NE(answer.header("retry-after"), "");
}

TEST_F(CertificateRoutesTest, WithoutACertificateNobodyRenews) {
  EXPECT_EQ(post("/api/device/renew", R"({"csr":"CSR"})").status, 401);
}

TEST_F(CertificateRoutesTest, AStrangersRevocationSaysThatNobodyKnewIt) {
  const auto answer = post_as_admin("/api/admin/devices/stranger/revoke", "");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(json(answer)["known"], false);
  EXPECT_NE(answer.body.find("ever seen"), std::string::npos);
}

TEST_F(CertificateRoutesTest, CertificatesFromElsewhereAreAdopted) {
  const auto answer = post_as_admin("/api/admin/certificates", R"({"certificates":"PEM"})");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(json(answer)["adopted"], 1);
  EXPECT_EQ(json(answer)["foreign"][0], "localhost");
  EXPECT_EQ(lists_due_, 1);
  const std::string many(200'000, 'P');
  EXPECT_EQ(post_as_admin("/api/admin/certificates", R"({"certificates":")" + many + "\"}").status, 200);
  EXPECT_EQ(post_as_admin("/api/admin/certificates", R"({"certificates":""})").status, 422);
  EXPECT_EQ(post_as_admin("/api/admin/certificates", R"({})").status, 422);
}

class BehindAProxy : public CertificateRoutesTest {
 protected:
  BehindAProxy() { options_.trusted_proxies = fleet::parse_networks("127.0.0.1").value(); }
  int enrol(const Headers& headers) {
    return call(port(), "POST", "/api/device/enroll", headers, R"({"device_id":"a","token":"t","csr":"CSR"})")
        .status;
  }
};

TEST_F(BehindAProxy, WhoEnrolsCameToItOverHttps) {
  EXPECT_EQ(enrol({{"X-Forwarded-Proto", "https"}}), 200);
  EXPECT_EQ(enrol({{"X-Forwarded-Proto", "http"}}), 403);
  EXPECT_EQ(enrol({}), 403) << "a proxy on this machine is not the client";
}

TEST_F(CertificateRoutesTest, ABridgeWithoutAListSaysSo) {
  EXPECT_EQ(get("/api/pki/crl").status, 404);
}

TEST_F(CertificateRoutesTest, ALongListArrivesWhole) {
  const std::string list(8'000'000, '\x30');
  identity_.revocation_list = [&] { return fleet::Expected<std::string>(list); };
  const auto answer = get("/api/pki/crl");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("content-type"), "application/pkix-crl");
  EXPECT_EQ(answer.body.size(), list.size());
}

TEST_F(CertificateRoutesTest, ATokenIsShownOnceAndKeptHashed) {
  const auto answer = post_as_admin("/api/admin/enrolment-tokens", R"({"device_id":"a","valid_minutes":5})");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(json(answer)["token"], "the-token");
  EXPECT_EQ(enrolments_.created.valid_minutes, 5);
  EXPECT_EQ(enrolments_.created.token_sha256.find("the-token"), std::string::npos);
  EXPECT_EQ(post_as_admin("/api/admin/enrolment-tokens", "").status, 201) << "no body: any new device, a day";
}

TEST_F(CertificateRoutesTest, ABridgeWithoutAnIssuingKeySaysSo) {
  identity_.authority = nullptr;
  EXPECT_EQ(post_as_admin("/api/admin/devices/a/certificate", R"({"csr":"CSR"})").status, 503);
  EXPECT_EQ(post("/api/device/enroll", R"({"device_id":"a","token":"t","csr":"CSR"})").status, 503);
  EXPECT_EQ(post_as_admin("/api/admin/devices/a/revoke", "").status, 200) << "blocking it needs no key";
}

}  // namespace
}  // namespace ota::tests
