#include "sql/certificate_store.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "sql/device_store.hpp"
#include "sql/update_store.hpp"
#include "tests/sql/fixture.hpp"
#include "tests/support/refused.hpp"

namespace ota::sql_test {
namespace {

using namespace std::chrono_literals;
using fleet::ErrorKind;
using fleet::Issuance;
using test_support::refused;

class Certificates : public testing::Test {
 protected:
  fleet::NewCertificate certificate(const std::string& device_id, const std::string& serial,
                                    Issuance issuance = Issuance::add) {
    return {device_id, {serial, "PEM " + serial, "ff", now() - 1h, now() + 24h}, issuance, "", "ann", ""};
  }
  fleet::EnrolmentRequest request(const std::string& device_id, const std::string& token,
                                  const std::string& csr = "csr1") {
    return {device_id, "", token, csr};
  }
  std::int64_t token(const std::string& digest, const std::string& device_id = "",
                     const std::string& model = "") {
    return enrolments_.create_token({digest, device_id, model, 60, "ann"}).value();
  }
  std::string events(const std::string& device_id) {
    return database_.value(
        "SELECT string_agg(event_type || ':' || coalesce(created_by, ''), ' ' ORDER BY id) FROM ota_events "
        "WHERE device_id = '" +
        device_id + "'");
  }
  std::string revoked_of(const std::string& device_id) {
    return database_.value("SELECT revoked_at IS NOT NULL FROM devices WHERE device_id = '" + device_id +
                           "'");
  }
  static ErrorKind kind(const tl::expected<fleet::Enrolled, fleet::Error>& outcome) {
    return outcome ? ErrorKind::internal : outcome.error().kind;
  }

  TestDatabase database_;
  sql::ConnectionPool pool_{database_.service(), 2};
  sql::PgCertificateStore certificates_{pool_};
  sql::PgEnrolmentStore enrolments_{pool_};
  sql::PgRevocationStore revocations_{database_.service()};
};

TEST_F(Certificates, AreRecordedAndListedNewestFirst) {
  ASSERT_TRUE(certificates_.record(certificate("a", "4a")));
  ASSERT_TRUE(certificates_.record(certificate("a", "4b")));
  const auto rows = certificates_.list("a").value();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].serial, "4b");
  EXPECT_EQ(rows[1].issued_by, "ann");
  EXPECT_EQ(rows[1].revoked_at, "");
  EXPECT_EQ(events("a"), "certificate_issued:ann certificate_issued:ann");
}

TEST_F(Certificates, ADeviceHasOnlySoManyValidOnes) {
  for (int i = 0; i < fleet::kLiveCertificatesMax; ++i)
    ASSERT_TRUE(certificates_.record(certificate("a", std::to_string(4000 + i))));
  EXPECT_EQ(refused(certificates_.record(certificate("a", "5000"))).kind, ErrorKind::conflict);
  EXPECT_TRUE(certificates_.record(certificate("a", "5001", Issuance::replace)));
}

TEST_F(Certificates, RevokingTakesAllOfThemAndBlocksTheDevice) {
  ASSERT_TRUE(certificates_.record(certificate("a", "4a")));
  ASSERT_TRUE(certificates_.record(certificate("b", "4b")));
  token("bound", "a");
  EXPECT_EQ(certificates_.revoke({"a", {"0a0b"}, "ann", "stolen"})->certificates, 2)
      << "one of ours, one from elsewhere";
  EXPECT_EQ(revoked_of("a"), "t");
  const auto listed = revocations_.revoked().value();
  ASSERT_EQ(listed.size(), 2U);
  EXPECT_EQ(listed[0].serial, "0a0b");
  EXPECT_EQ(listed[1].serial, "4a");
  EXPECT_EQ(certificates_.revoke({"a", {"0a0b"}, "ann", ""})->certificates, 0) << "again changes nothing";
  EXPECT_EQ(events("a"), "certificate_issued:ann enrolment_token_created:ann device_revoked:ann");
  EXPECT_EQ(refused(certificates_.record(certificate("a", "4c"))).kind, ErrorKind::forbidden);
  EXPECT_EQ(refused(enrolments_.admit(request("a", "bound"))).kind, ErrorKind::forbidden);
  EXPECT_EQ(refused(certificates_.revoke({"a", {"4b"}, "ann", ""})).kind, ErrorKind::conflict)
      << "another device's";
  EXPECT_EQ(database_.value("SELECT revoked_at IS NULL FROM device_certificates WHERE serial = '4b'"), "t");
}

TEST_F(Certificates, OfARevokedDeviceNothingIsNoted) {
  sql::PgUpdateStore updates(database_.service());
  auto contact = check_of("a", "1.0.0");
  ASSERT_TRUE(updates.begin({contact}));
  ASSERT_TRUE(updates.commit({}));
  ASSERT_EQ(certificates_.revoke({"a", {}, "ann", ""})->certificates, 0);
  contact.version = "6.6.6";
  contact.mac = "AA:BB:CC:DD:EE:99";
  contact.online = true;
  const auto devices = updates.begin({contact});
  ASSERT_TRUE(devices);
  EXPECT_TRUE(devices->front().revoked);
  EXPECT_EQ(devices->front().version, "1.0.0");
  ASSERT_TRUE(updates.commit({}));
  EXPECT_EQ(database_.value(
                "SELECT current_firmware_version || coalesce(mac_address, '') || online::text FROM devices"),
            "1.0.0false");
}

TEST_F(Certificates, ADeviceThatWasNeverHeardCanBeRevoked) {
  EXPECT_FALSE(certificates_.revoke({"ghost", {}, "ann", ""})->known);
  EXPECT_TRUE(certificates_.revoke({"ghost", {}, "ann", ""})->known);
  EXPECT_EQ(revoked_of("ghost"), "t");
}

TEST_F(Certificates, WhoIsRevokedIsTold) {
  EXPECT_EQ(certificates_.is_revoked("a", ""), false) << "a stranger";
  ASSERT_TRUE(certificates_.revoke({"a", {}, "ann", ""}));
  EXPECT_EQ(certificates_.is_revoked("a", ""), true);
  ASSERT_TRUE(certificates_.reinstate("a", "ann", "found"));
  EXPECT_EQ(certificates_.is_revoked("a", ""), false);
}

TEST_F(Certificates, ReinstatingLetsANewOneBeIssuedAndNoOldOneBack) {
  ASSERT_TRUE(certificates_.record(certificate("a", "4a")));
  token("bound", "a");
  ASSERT_TRUE(certificates_.revoke({"a", {}, "ann", ""}));
  EXPECT_TRUE(certificates_.reinstate("a", "ann", "found"));
  EXPECT_EQ(revoked_of("a"), "f");
  EXPECT_EQ(revocations_.revoked()->size(), 1U);
  EXPECT_EQ(refused(enrolments_.admit(request("a", "bound"))).kind, ErrorKind::forbidden)
      << "who has it may be the thief";
  EXPECT_TRUE(certificates_.record(certificate("a", "4b")));
  EXPECT_EQ(refused(certificates_.reinstate("nobody", "ann", "")).kind, ErrorKind::not_found);
}

TEST_F(Certificates, ReplacingTheHardwareForgetsTheOldOneAndKeepsTheHistory) {
  database_.value(
      "INSERT INTO devices (device_id, device_model, mac_address, boot_id, current_firmware_version, "
      "revoked_at) VALUES ('a', 'm', 'AA:BB:CC:DD:EE:01', 'b1', '1.0.0', now())");
  ASSERT_TRUE(certificates_.record(certificate("a", "4a", Issuance::replace)));
  ASSERT_TRUE(certificates_.record(certificate("a", "4b", Issuance::replace)));
  EXPECT_EQ(database_.value("SELECT coalesce(mac_address, '-') || coalesce(boot_id, '-') || "
                            "current_firmware_version || (revoked_at IS NULL)::text FROM devices"),
            "--1.0.0true");
  ASSERT_EQ(revocations_.revoked()->size(), 1U);
  EXPECT_EQ(revocations_.revoked()->front().serial, "4a");
}

TEST_F(Certificates, ARevokedCertificateCannotRenew) {
  ASSERT_TRUE(certificates_.record(certificate("a", "4a")));
  ASSERT_TRUE(certificates_.record(certificate("a", "4b", Issuance::replace)));
  auto renewed = certificate("a", "4c", Issuance::renew);
  renewed.presented = "4a";
  EXPECT_EQ(refused(certificates_.record(renewed)).kind, ErrorKind::forbidden);
  renewed.presented = "4b";
  EXPECT_TRUE(certificates_.record(renewed));
  auto foreign = certificate("b", "4d", Issuance::renew);
  foreign.presented = "4b";
  EXPECT_EQ(refused(certificates_.record(foreign)).kind, ErrorKind::forbidden);
}

TEST_F(Certificates, DecommissioningRevokesThem) {
  database_.value("INSERT INTO devices (device_id, device_model) VALUES ('a', 'm')");
  ASSERT_TRUE(certificates_.record(certificate("a", "4a")));
  sql::PgDeviceStore devices(pool_);
  ASSERT_TRUE(devices.delete_device("a", "ann"));
  EXPECT_EQ(revocations_.revoked()->size(), 1U);
}

// ---- enrolment
// ---------------------------------------------------------------------------------------------

TEST_F(Certificates, ATokenIsGoodOnceAndForARetryOfTheSameRequest) {
  token("t1");
  EXPECT_EQ(enrolments_.admit(request("a", "t1")), std::nullopt);
  const auto first = enrolments_.enrol(request("a", "t1"), certificate("a", "4a").certificate);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->certificate, "PEM 4a");
  const auto again = enrolments_.admit(request("a", "t1"));
  ASSERT_TRUE(again && *again);
  EXPECT_EQ((*again)->certificate, "PEM 4a");
  EXPECT_EQ(enrolments_.enrol(request("a", "t1"), certificate("a", "4b").certificate)->certificate, "PEM 4a")
      << "two at once get one certificate";
  EXPECT_EQ(certificates_.list("a")->size(), 1U);
  EXPECT_EQ(kind(enrolments_.enrol(request("a", "t1", "csr2"), certificate("a", "4b").certificate)),
            ErrorKind::forbidden);
  EXPECT_EQ(kind(enrolments_.enrol(request("b", "t1"), certificate("b", "4b").certificate)),
            ErrorKind::forbidden);
  EXPECT_EQ(events("a"), "device_enrolled:device enrolment_refused:device");
  database_.value("UPDATE enrolment_tokens SET used_at = now() - interval '11 minutes'");
  EXPECT_EQ(refused(enrolments_.admit(request("a", "t1"))).kind, ErrorKind::forbidden)
      << "too late for a retry";
}

TEST_F(Certificates, ATokenThatDoesNotFitIsRefused) {
  token("bound", "a");
  token("model", "", "esp32");
  token("old");
  database_.value("UPDATE enrolment_tokens SET expires_at = now() WHERE token_sha256 = 'old'");
  const auto revoked = token("revoked");
  ASSERT_TRUE(enrolments_.revoke_token(revoked, "ann"));
  for (const auto& [digest, id] :
       {std::pair{"bound", "b"}, std::pair{"model", "b"}, std::pair{"old", "b"}, std::pair{"revoked", "b"}}) {
    EXPECT_EQ(refused(enrolments_.admit(request(id, digest))).kind, ErrorKind::forbidden) << digest;
  }
  EXPECT_EQ(refused(enrolments_.admit(request("b", "unknown"))).kind, ErrorKind::unauthorized);
  auto right = request("b", "model");
  right.model = "esp32";
  EXPECT_TRUE(enrolments_.admit(right));
  database_.value("INSERT INTO devices (device_id, device_model) VALUES ('b', 'other')");
  EXPECT_FALSE(enrolments_.admit(right)) << "it is known as another model";
}

TEST_F(Certificates, ATokenForAnyDeviceTakesNobodysPlace) {
  token("any");
  ASSERT_TRUE(certificates_.record(certificate("a", "4a")));
  database_.value("INSERT INTO devices (device_id, device_model, seen_on_mqtt) VALUES ('b', 'm', true)");
  EXPECT_EQ(refused(enrolments_.admit(request("a", "any"))).kind, ErrorKind::forbidden);
  EXPECT_EQ(refused(enrolments_.admit(request("b", "any"))).kind, ErrorKind::forbidden);
  database_.value("INSERT INTO devices (device_id, device_model) VALUES ('polls', 'm')");
  EXPECT_EQ(refused(enrolments_.admit(request("polls", "any"))).kind, ErrorKind::forbidden);
  database_.value("INSERT INTO device_tokens (device_id, token_sha256) VALUES ('tokened', repeat('a', 64))");
  EXPECT_EQ(refused(enrolments_.admit(request("tokened", "any"))).kind, ErrorKind::forbidden);
  token("own", "a");
  EXPECT_TRUE(enrolments_.admit(request("a", "own")));
}

TEST_F(Certificates, RefusalsDoNotFloodTheLog) {
  token("bound", "a");
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(enrolments_.admit(request("b", "bound")));
  EXPECT_EQ(events("b"), "enrolment_refused:device");
}

TEST_F(Certificates, AUsedTokenIsNotRevokedButItsDeviceIs) {
  const auto id = token("t1");
  ASSERT_TRUE(enrolments_.enrol(request("a", "t1"), certificate("a", "4a").certificate));
  EXPECT_EQ(refused(enrolments_.revoke_token(id, "ann")).kind, ErrorKind::conflict);
  EXPECT_EQ(refused(enrolments_.revoke_token(id + 1, "ann")).kind, ErrorKind::not_found);
  ASSERT_TRUE(certificates_.revoke({"a", {}, "ann", ""}));
  EXPECT_EQ(refused(enrolments_.admit(request("a", "t1"))).kind, ErrorKind::forbidden)
      << "a retry must not bring a revoked certificate back";
  EXPECT_EQ(enrolments_.list_tokens(10)->front().used_by, "a");
}

// ---- the list
// ----------------------------------------------------------------------------------------------

TEST_F(Certificates, WhatAListHoldsIsRevokedHereToo) {
  ASSERT_TRUE(certificates_.record(certificate("a", "4a")));
  ASSERT_TRUE(revocations_.adopt({{"0a0b", now() - 1h}, {"4a", now() - 1h}}));
  EXPECT_EQ(revocations_.revoked()->size(), 2U);
  EXPECT_EQ(certificates_.list("a")->front().revoked_reason, "found on the revocation list");
  const auto uncut = revocations_.uncut(10).value();
  ASSERT_EQ(uncut.size(), 1U) << "whose 0a0b is nobody knows";
  EXPECT_EQ(uncut[0].device_id, "a");
}

TEST_F(Certificates, ARevocationIsDueUntilItIsInForceAndListedUntilItExpires) {
  ASSERT_TRUE(certificates_.record(certificate("a", "4a")));
  ASSERT_TRUE(certificates_.revoke({"a", {}, "ann", ""}));
  const auto uncut = revocations_.uncut(10).value();
  EXPECT_EQ(uncut.size(), 2U) << "the certificate, and the order to cut";
  ASSERT_TRUE(revocations_.mark_cut(uncut));
  EXPECT_TRUE(revocations_.uncut(10)->empty());
  EXPECT_EQ(revocations_.revoked()->size(), 1U);
  database_.value("UPDATE device_certificates SET not_after = now() - interval '2 days'");
  EXPECT_TRUE(revocations_.revoked()->empty());
}

}  // namespace
}  // namespace ota::sql_test
